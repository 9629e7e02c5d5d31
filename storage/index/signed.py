"""Numbers with a sign in running text: SQLCODEs (`-805`), or time zones, exit codes and amounts."""

import re

#: COBOL's DISPLAY fills a number up to the length of its field: -000000805.
NUMBER = r"(0{0,13}[0-9]{1,5})"
#: A sign behind a word, a number or a parenthesis is a hyphen: `IEC161I 052(015)-084`.
_PLACE = re.compile(
    rf"([+-])(?<![0-9a-z+\-)\]].)(?<![0-9a-z]\..){NUMBER}(?![0-9a-z+-]|[.:][0-9]|\.[a-z]|\s?%(?![a-z(]))"
)
_ALONE = re.compile(rf"[\s'\"(]{{0,4}}([+-]){NUMBER}[\s'\").,;:!?]{{0,4}}")
ALONE_MAX = 30  # characters
FILLED = 9  # digits from which on zeros before a number are those of a field
LOOK = 32  # characters before a number that may tell what it is
_NAMED = re.compile(r"(?<![a-z])(?:sql|db2)[^0-9]{0,16}$")
_DB2 = re.compile(r"(?<![a-z])(?:sql(?![a-z])|sqlcode|db2|dsn[a-z]?[0-9])")
_ZONE = re.compile(r"(?:0[0-9]|1[0-4])(?:[03]0|[14]5)")
_CLOCK = re.compile(r"[0-9]:[0-9]{2}(?:[.,][0-9]{1,9})?(?:\s?[ap]m)?(?:\s[0-9]{4})?[\s\])]{0,2}$")


def signed_codes(text: str) -> frozenset[str]:
    """Those of the signed numbers in `text`, in lower case, that are codes.

    A number that stands alone or that `SQL` or `DB2` names is one. Others are when they have three
    digits, or two in a text about Db2: `exit code -1`, `+0100` behind a time, and `+100%` are none.
    """
    if len(text) <= ALONE_MAX and (match := _ALONE.fullmatch(text)):
        return frozenset((form(*match.groups()),))
    least = 10 if _DB2.search(text) else 100
    found: set[str] = set()
    for match in _PLACE.finditer(text):
        code = form(*match.groups())
        if code not in found and _is_code(match, text, least):
            found.add(code)
    return frozenset(found)


def form(sign: str, number: str) -> str:
    """A signed number without the zeros before it."""
    return f"{sign}{int(number)}"


def _is_code(match: re.Match[str], text: str, least: int) -> bool:
    before, digits = text[max(0, match.start() - LOOK) : match.start()], match[2]
    if _ZONE.fullmatch(digits) and _CLOCK.search(before):
        return False
    if _NAMED.search(before):
        return True
    written = digits[0] != "0" or len(digits) >= FILLED or least < 100
    return written and int(digits) >= least
