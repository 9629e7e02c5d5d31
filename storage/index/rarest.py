"""The codes of a long text that tell most: a job's log is full of names that look like codes."""

from collections.abc import Callable
from dataclasses import replace

from storage.index.codes import is_message
from storage.index.grammar import Understood

CODES_MAX = 32  # codes that one query looks for


def rarest(asked: Understood, often: Callable[[str], int]) -> Understood:
    """`asked` with CODES_MAX codes at most, in their order.

    Of those that some entry holds the rarest, ids of messages only where there is room: they
    carry the code of the cause. `often` tells how many entries hold a code.
    """
    if len(asked.codes) <= CODES_MAX:
        return asked
    held = {code: (is_message(code), n) for code in asked.codes if (n := often(code))}
    # Where no entry holds any, some stay all the same: they were asked for.
    kept = set(sorted(held, key=held.__getitem__)[:CODES_MAX] or asked.codes[:CODES_MAX])
    codes = tuple(code for code in asked.codes if code in kept)
    if len(held) <= CODES_MAX:
        return replace(asked, codes=codes)
    note = f"of {len(held):,} codes in it the {CODES_MAX} rarest"
    return replace(asked, codes=codes, notes=(*asked.notes, note))
