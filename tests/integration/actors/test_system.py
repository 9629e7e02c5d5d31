"""What a worker tells of PostgreSQL."""

from actors import analytics, entries, system
from contracts.analytics import RollUp
from contracts.entries import CreateEntry, EntryFields
from contracts.system import AskDatabase
from tests.support.house import House


def test_entries_are_counted_where_that_is_asked_for(house: House) -> None:
    """A probe comes every few seconds: it is told what the last roll-up counted."""

    def told(*, count: bool = False) -> int:
        found: int = house.call(system.database, AskDatabase(count=count)).entries
        return found

    def add(title: str) -> None:
        house.call(entries.create, CreateEntry(entry=EntryFields(title=title)))

    add("before any roll-up")
    assert told() == 1
    house.call(analytics.roll_up, RollUp())
    add("after it")
    assert (told(), told(count=True)) == (1, 2)
    house.call(analytics.roll_up, RollUp())
    assert told() == 2
