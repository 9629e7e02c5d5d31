"""What a misspelt name was meant to be."""

from collections.abc import Iterable
from difflib import get_close_matches

NEAR = 0.7  # how alike two names are at least, of 1


def meant(name: str, known: Iterable[str]) -> str:
    """`; is it X?` with the one of `known` that is most like `name`; empty where none is near."""
    spelt = {one.casefold(): one for one in known}
    close = get_close_matches(name.casefold(), spelt, 1, NEAR)
    return f"; is it {spelt[close[0]]}?" if close else ""
