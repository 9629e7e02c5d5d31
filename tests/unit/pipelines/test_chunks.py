"""Chunks: small enough, complete, and the same for the same source."""

import io

from contracts.imports import CHUNK_BYTES, CHUNK_ROWS, ROW_BYTES, Reject
from contracts.mappings import Shape
from pipelines.chunks import cut
from pipelines.formats.rows import make_reading, read
from pipelines.formats.source import Found, SourceRow


def source(count: int, size: int = 10) -> list[Found]:
    """Rows of about `size` bytes."""
    return [SourceRow("f", n, {"title": f"title {n}", "problem": "x" * size}) for n in range(count)]


def test_chunks_hold_every_row_once_in_order() -> None:
    """Nothing is lost or doubled at the borders."""
    chunks = list(cut(source(CHUNK_ROWS * 2 + 3), Shape()))
    assert [len(chunk) for chunk in chunks] == [CHUNK_ROWS, CHUNK_ROWS, 3]
    assert [chunk.number for chunk in chunks] == [0, 1, 2]


def test_chunks_are_bounded_in_bytes() -> None:
    """Large rows make smaller chunks; one over the bound travels alone."""
    chunks = list(cut(source(10, CHUNK_BYTES // 2), Shape()))
    assert all(chunk.size <= CHUNK_BYTES for chunk in chunks)
    assert [len(chunk) for chunk in cut(source(2, CHUNK_BYTES + 1), Shape())] == [1, 1]


def test_the_same_source_gives_the_same_digests() -> None:
    """Digests tell a changed file from the same one."""
    digests = [chunk.digest for chunk in cut(source(1200), Shape())]
    assert digests == [chunk.digest for chunk in cut(source(1200), Shape())]
    changed = source(1200)
    changed[700] = SourceRow("f", 700, {"title": "another"})
    again = [chunk.digest for chunk in cut(changed, Shape())]
    assert again[0] == digests[0]
    assert again[1] != digests[1]


def test_what_no_message_can_carry_is_rejected() -> None:
    """A row that is too large, or that JSON can't hold, is a reject among its neighbours."""
    rows: list[Found] = [
        SourceRow("f", 1, {"problem": "x" * (ROW_BYTES + 1)}),
        SourceRow("f", 2, {"problem": "\ud800"}),
        SourceRow("f", 3, {"title": "good"}),
        Reject(file="f", line=4, code="JSON_UNREADABLE", message="no"),
    ]
    (chunk,) = cut(rows, Shape())
    assert [reject.code for reject in chunk.rejects] == [
        "ROW_TOO_LARGE",
        "ROW_UNREADABLE",
        "JSON_UNREADABLE",
    ]
    assert len(chunk.rows) == 1


def test_where_a_mapping_finds_nothing_is_noted() -> None:
    """By path: a slip of the pen is why all rows lack a title. Without rows there is no telling."""
    shape = Shape(
        mapping={
            "title": "{code}: {tittle}",
            "tags": "meta.tag",
            "problem": "text",
            "category": "c",
        }
    )
    rows = [{"code": 1, "meta": {"tags": "a"}}, {"text": "x", "tittle": None}, {"c": ""}]
    found: list[Found] = [SourceRow("f", n, row) for n, row in enumerate(rows)]
    notes: list[str] = []
    assert len(list(cut(found, shape, notes))) == 1
    assert notes == [
        "The mapping looks where no row has anything: tittle (for title), meta.tag (for tags)."
    ]
    assert list(cut([], shape, notes)) == []
    list(cut(found, Shape(), notes))
    assert len(notes) == 1


def test_rows_whose_entry_a_later_row_names_are_counted() -> None:
    """Within a chunk, where the last one counts. Of other chunks and other sources they are not."""
    ids: list[dict[str, object]] = [{"external_id": n} for n in (1, "1", 2, None, None, 1)]
    ids += [{"external_id": 2, "source": "another"}, {}, {}]
    rows = [SourceRow("f", n, {"title": "x" * 10} | one) for n, one in enumerate(ids)]
    notes: list[str] = []
    assert len(list(cut(rows, Shape(), notes))) == 1
    said = "Rows about an entry that a later row of their chunk is about, too: 2; the later one"
    assert notes == [f"{said} counts."]
    large = {"title": "x" * 10, "problem": "p" * CHUNK_BYTES, "external_id": 1}
    notes.clear()
    assert len(list(cut([SourceRow("f", n, large) for n in range(2)], Shape(), notes))) == 2
    assert notes == []


def test_a_first_line_that_is_no_header_is_told() -> None:
    """Of each file, unless a mapping says what its columns are."""

    def notes(data: bytes, shape: Shape, columns: str | None = None) -> list[str]:
        said: list[str] = []
        found = read(io.BytesIO(data), "x.csv", make_reading(columns=columns), [])
        assert sum(len(chunk) for chunk in cut(found, shape, said)) >= 2
        return said

    data = b"S0C7,wrong data,1\nS0C4,wrong place,2\nS0C1,none,3\n"
    (note,) = notes(data, Shape())
    assert note.startswith("Nothing in the first line of x.csv is called as a field of entries is.")
    assert notes(data, Shape(mapping={"title": "S0C7"})) == []
    assert notes(data, Shape(), "title,problem,external_id") == []
    assert notes(b"title,other\n" + b"a,b\n" * 2, Shape()) == []
