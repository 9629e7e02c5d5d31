"""Which codes of a long text are looked for."""

from storage.index.grammar import Understood
from storage.index.rarest import CODES_MAX, rarest

LOG = tuple(f"step{number:03}" for number in range(200))


def test_few_codes_are_all_looked_for() -> None:
    """Also those that no entry holds: the reply shows them."""
    asked = Understood(codes=LOG[:CODES_MAX])
    assert rarest(asked, {}.__getitem__) is asked


def test_codes_that_entries_hold_stay_however_late_they_come() -> None:
    """Names of steps that no entry holds take no place; nothing was lost, so nothing is said."""
    held = {"s0c7": 90, "-805": 3, "ief450i": 1}
    kept = rarest(Understood(codes=(*LOG, *held)), lambda code: held.get(code, 0))
    assert kept == Understood(codes=tuple(held))


def test_of_too_many_the_rarest_stay() -> None:
    """In the order of the text, and the reply says how many there were; messages go first."""
    held = {f"s{number:03x}": number for number in range(1, 61)} | {"ief450i": 1}
    kept = rarest(Understood(codes=(*LOG, *reversed(held))), lambda code: held.get(code, 0))
    assert kept.codes == tuple(f"s{number:03x}" for number in range(CODES_MAX, 0, -1))
    assert kept.notes == (f"of 61 codes in it the {CODES_MAX} rarest",)


def test_where_no_entry_holds_any_some_stay() -> None:
    """Or nothing would be asked for, and everything found."""
    kept = rarest(Understood(codes=LOG), lambda _: 0)
    assert kept == Understood(codes=LOG[:CODES_MAX])
    assert not kept.everything
