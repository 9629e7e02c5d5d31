"""A damaged list of words: searches do without guesses."""

from collections.abc import Iterator
from pathlib import Path

from contracts.errors import IndexUnavailable
from storage.index import files, published
from storage.index.guesses import LOST
from storage.index.searcher import IndexReader
from tests.integration.storage.index.conftest import Fill
from tests.integration.storage.index.index_helpers import ask, entry

#: What the words of the test begin with, as the list has it: what tells of them stands before it.
BEGINNINGS, BEFORE = b"wtol", 150


def put(path: Path, place: int, byte: int) -> None:
    """Write one byte in place: readers have the file mapped."""
    with path.open("r+b") as file:
        file.seek(place)
        file.write(bytes([byte]))


def answered(root: Path, q: str) -> str:
    """How a reader that opens the index anew understands a query, "" if it can't be answered."""
    try:
        return ask(IndexReader(root), q).interpreted_as
    except IndexUnavailable:
        return ""


def test_a_damaged_list_of_words_costs_the_guesses_alone(root: Path, fill: Fill) -> None:
    """Where a bit keeps the words near a misspelt one from being read, the search is answered
    without them and says so, and the damage is noted for the indexer."""
    likes = [f"l{chr(97 + n % 26)}{chr(97 + n // 26)}words" for n in range(200)]
    reader = fill(entry("the library of words"), *map(entry, likes))
    assert ask(reader, "words libary").interpreted_as.endswith("librari for libary")
    current = published.read(root)
    assert current
    folder = root / current.folder
    (path,) = (folder / name for name in files.committed(folder) if name.endswith(".term"))
    sound = path.read_bytes()
    told = ""
    for place in _places(sound):
        put(path, place, sound[place] ^ 0b100)
        told = answered(root, "words libary")
        if LOST in told:
            break
        put(path, place, sound[place])
        (root / "damage.json").unlink(missing_ok=True)
    assert told == f"words word libari ({LOST})"
    damage = files.damage(root)
    assert damage
    assert damage.files == (path.name,)


def _places(sound: bytes) -> Iterator[int]:
    end = sound.find(BEGINNINGS)
    while end >= 0:
        yield from range(max(0, end - BEFORE), end)
        end = sound.find(BEGINNINGS, end + 1)
