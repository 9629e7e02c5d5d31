"""How far a commit is; kept in the index itself, as a document that no search finds."""

from typing import NamedTuple

import orjson
import tantivy

from contracts.position import Position
from storage.index.schema import POSITION, schema
from storage.index.touched import Touched


class Mark(NamedTuple):
    """What a commit says of itself."""

    position: Position
    generation: int
    touched: Touched


def mark_document(mark: Mark) -> tantivy.Document:
    """The document that keeps a mark. It has no text, and is of no kind of entry."""
    document = tantivy.Document()
    document.add_text("kind", POSITION)
    kept = {
        "position": str(mark.position),
        "generation": mark.generation,
        "touched": mark.touched.as_json(),
    }
    document.add_bytes("card", orjson.dumps(kept))
    return document


def read_mark(searcher: tantivy.Searcher) -> Mark | None:
    """The mark of the commit that `searcher` sees; None if the index has none."""
    found = tantivy.Query.term_query(schema(), "kind", POSITION)
    for _, address in searcher.search(found, 1).hits:
        kept = orjson.loads(searcher.doc(address).get_first("card") or b"")
        position = Position.parse(kept["position"])
        touched = Touched.read(kept.get("touched")) or Touched.everything(position)
        return Mark(position, kept["generation"], touched)
    return None
