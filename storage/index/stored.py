"""What the index keeps of an entry to show it, read back."""

from typing import Any

import orjson
import tantivy


def shown(document: tantivy.Document, name: str) -> str:
    """Its `title`, `problem` or `solution`, as far as it is kept."""
    kept: bytes = document.get_first(f"{name}_shown") or b""
    return kept.decode()


def card(document: tantivy.Document) -> dict[str, Any]:
    """What every hit shows beside its title."""
    kept: dict[str, Any] = orjson.loads(document.get_first("card") or b"{}")
    return kept


def more(document: tantivy.Document) -> dict[str, Any]:
    """What a hit shows to who asks for it by name."""
    kept = {"source": "", "external_id": "", "author": ""}
    kept |= orjson.loads(document.get_first("more") or b"{}")
    return kept if "created_at" in kept else kept | {"created_at": card(document)["updated_at"]}
