"""Saved searches: which of the changed entries each of them wants."""

import pytest

from storage.index import wanted
from storage.index.wanted import Wanted
from tests.integration.storage.index.conftest import Fill
from tests.integration.storage.index.index_helpers import ask, entry


@pytest.mark.parametrize("looked_through", [1, 1_000], ids=["asked for", "looked through"])
def test_only_what_changed_is_wanted(
    fill: Fill, monkeypatch: pytest.MonkeyPatch, looked_through: int
) -> None:
    """Of all that a search fits, it tells of those entries that changed, however much it fits."""
    monkeypatch.setattr(wanted, "LOOKED_THROUGH", looked_through)
    entries = [entry(f"catalog number{n}", category="Db2" if n < 2 else "Other") for n in range(4)]
    reader = fill(*entries, entry("something else"))
    searches = [
        Wanted("all", "catalog", ()),
        Wanted("narrowed", "catalog", ("Db2",)),
        Wanted("both words", "catalog number3", ()),
        Wanted("none", "nowhere", ()),
    ]
    changed = [entries[1].id, entries[3].id]
    found = reader.wanted(searches, changed, ask(reader).position)
    assert sorted(found) == [("all", *pair) for pair in sorted((one, 1) for one in changed)] + [
        ("both words", entries[3].id, 1),
        ("narrowed", entries[1].id, 1),
    ]
