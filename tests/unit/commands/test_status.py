"""What `casebook status` says of facts."""

from commands.status import _cells


def test_facts_are_said_as_people_write_them() -> None:
    """A list by commas; what is empty or unknown not at all."""
    assert _cells({"firing": 2, "rules": ["A", "B"]}) == "firing 2, rules A, B"
    assert _cells({"firing": 0, "rules": [], "held_seconds": None}) == "firing 0"
