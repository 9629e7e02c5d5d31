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


BEASTS = (
    "zebra in line",
    "giraffe in line",
    "wombat case",
    "abend XQZ7777E",
    "koala abend XQZ7777E",
    "koala file status 35",
)
ZEBRA, GIRAFFE, WOMBAT, CODE, KOALA, STATUS = range(len(BEASTS))


@pytest.mark.parametrize(
    ("query", "fits"),
    [
        ("zebra OR giraffe", {ZEBRA, GIRAFFE}),
        ("zebra giraffe", set()),
        ("wombat OR zzznothing", {WOMBAT}),
        ('zzznothing OR "wombat case"', {WOMBAT}),
        ("tag:nosuch OR wombat", {WOMBAT}),
        ("tag:beast OR wombat", {ZEBRA, WOMBAT}),
        ("wombat OR (koala AND abend)", {WOMBAT, KOALA}),
        ("wombat OR (koala abend)", {WOMBAT, KOALA}),
        ("XQZ7777E OR wombat", {CODE, KOALA, WOMBAT}),
        ("koala (XQZ7777E OR wombat)", {KOALA}),
        ("koala (tag:beast OR XQZ7777E)", {KOALA}),
        ("koala AND (XQZ7777E OR wombat)", {KOALA}),
        ("(zebra OR koala) XQZ7777E", {CODE, KOALA}),
        ("koala file status (35 OR 39)", {STATUS}),
        ("zebra OR XQZ7777E^2", {ZEBRA, CODE, KOALA}),
        ("zebra OR giraffe -tag:beast", {GIRAFFE}),
        ("(zebra OR wombat) (line OR nothing)", {ZEBRA}),
        ("title:(zebra XQZ7777E)", {ZEBRA, CODE, KOALA}),
        ("tag:(beast nosuch) zebra", {ZEBRA}),
        ("XQZ7777E koala", {CODE, KOALA}),
        ("usage:>=0", set(range(len(BEASTS)))),
        ("koala usage:0", {KOALA, STATUS}),
    ],
)
def test_alternatives_are_alternatives(fill: Fill, query: str, fits: set[int]) -> None:
    """Also at the top of a search, where words side by side are all needed; a code that is one of
    them is not needed either."""
    entries = [entry(title, tags=("beast",) if "zebra" in title else ()) for title in BEASTS]
    reader = fill(*entries)
    asked = [Wanted("any", query, ())]
    found = reader.wanted(asked, [one.id for one in entries], ask(reader).position)
    ids = [one.id for one in entries]
    assert {ids.index(entry_id) for _, entry_id, _ in found} == fits


def test_a_begun_code_is_wanted_as_a_pattern(fill: Fill) -> None:
    """No entry holds `S0C` as a word."""
    one = entry("S0C7 in payroll")
    reader = fill(one, entry("S0C7"), entry("payroll"))
    (match,) = reader.wanted([Wanted("abends", "S0C? payroll", ())], [one.id], ask(reader).position)
    assert match == ("abends", one.id, 1)
