"""Codes as people type them when they ask: in the text of an entry none of these would be one."""

import re
from collections.abc import Iterator

from storage.index.codes import NO_CODES, SAID_SIGNS, bare_codes, find_codes
from storage.index.signed import form

SYSTEM_DIGITS = 3  # of a system abend; a user abend may be written so, too
_END = r"(?![0-9a-z])"
_DIGIT = re.compile("[0-9]")
#: `ora 600`, `KB 5012170`, `DFHAP 0001`, `hasp 050`, `IEF 450I`: an id with a space inside.
_SPACED = re.compile(
    rf"(?<![0-9a-z])(?:(ora|tns)\s([0-9]{{3,5}})|(?<![0-9]\s)(kb)\s([0-9]{{6,7}})"
    rf"|(dfh[a-z]{{2}})\s([0-9]{{4}})|(hasp)\s([0-9]{{3}})"
    r"|(ie[abcefw]|ic[eh]|ig[dwyz]|idc|ikj|ir[rx]|is[gt]|ix[cg]|csv|dfs|dsn[a-z]|arc|adr|bpx[a-z]?)"
    rf"\s([0-9]{{3,5}}[adeistw])){_END}"
)
#: What is asked for alone: X'0C4', SYSTEM 0E3, S-913, USER=0016, `U 0457`, `minus 204`, `soc 7`,
#: 0x7B.
_QUOTED = re.compile(r"x?'((?=[a-f]*[0-9])[0-9a-f]{3})'")
_SYSTEM = re.compile(r"(?:s[\s-]|system\s)((?=[a-f]*[0-9])[0-9a-f]{3})")
_USER = re.compile(r"(?:user[\s=]|u[\s-])([0-9]{4})")
_SAID_SIGN = re.compile(r"(minus|plus)\s([0-9]{1,5})")
_LETTER_O = re.compile(r"s?o\s?c\s?([4-9])|s\s?0\s?c\s?([0-9a-f])")
_SHORT_HEX = re.compile(r"0x([0-9a-f]{2,3})")


def typed_codes(text: str) -> list[str]:
    """The codes in a query, beside those that `find_codes` tells in any text."""
    if not _DIGIT.search(text):  # most words: none of the shapes below is without one
        return []
    lower = text.strip().lower()
    return [*bare_codes(lower), *_alone(lower), *_spaced(lower)]


def named_codes(value: str) -> list[str]:
    """What may be meant by `code:value`."""
    if shaped := find_codes(value):
        return shaped
    if value.lower() in NO_CODES:
        return []
    codes = [*find_codes(f"abend {value} status {value}"), *typed_codes(value)]
    if len(value) == SYSTEM_DIGITS and value.isdigit():
        codes.append(f"u0{value}")
    return list(dict.fromkeys(codes))


def _alone(text: str) -> Iterator[str]:
    if match := _QUOTED.fullmatch(text) or _SYSTEM.fullmatch(text):
        yield f"s{match[1]}"
    elif match := _SAID_SIGN.fullmatch(text):
        yield form(SAID_SIGNS[match[1]], match[2])
    elif match := _USER.fullmatch(text):
        yield f"u{match[1]}"
    elif match := _LETTER_O.fullmatch(text):
        yield f"s0c{match[1] or match[2]}"
    elif match := _SHORT_HEX.fullmatch(text):
        yield f"{match[1]:0>8}"


def _spaced(text: str) -> Iterator[str]:
    for groups in _SPACED.findall(text):
        prefix, number = filter(None, groups)
        yield from find_codes(prefix + ("-" if prefix in ("ora", "tns") else "") + number)
