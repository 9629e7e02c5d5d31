"""Codes in running text: what must be found exactly, before anything similar.

A code has one form however it is written: `S0C7`, `s0c7`, `0C7` and `ABEND=S0C7` are `s0c7`.
Zeros are dropped or added only where both forms are certain to mean the same (`-000000805` is
`-805`, `ORA-600` is `ORA-00600`); everywhere else they stay as written. Most codes of letters alone
(`NOTFND`, `GE`) have no shape to go by, and are found as words.
"""

import functools
import re
import string
from collections.abc import Iterator

from storage.index.signed import NUMBER, form, signed_codes

PART_MAX = 40  # characters: longer runs are data, not codes
LISTED_MAX = 200  # codes that an entry may be said to be about
TOKEN_MAX = 100  # characters: of longer ones, each part is looked at alone

#: Everything that can't be inside a code, to spaces. Dots stay: `-1.5` must not show `-1`.
_INSIDE = frozenset(string.ascii_letters + string.digits + "+-.")
_SEPARATORS = bytes(code if chr(code) in _INSIDE else ord(" ") for code in range(256))
_DASHES = str.maketrans(dict.fromkeys("\u2010\u2011\u2012\u2013\u2212", "-"))

_NO_DIGITS = bytes(code for code in range(256) if chr(code) not in string.digits)
_FROM_DIGIT = re.compile(r"[0-9][^ ]*")
BEFORE_DIGIT_MAX = 60  # characters: what has none so far is no code
_SIGNED = re.compile(rf"([+-]){NUMBER}")  # -805, +100
_ABEND = re.compile(r"s[0-9a-f]{3}|a[a-z]{2}[0-9]")  # S0C7, SB37; CICS has AEY9
_SHORT_ABEND = re.compile(r"0c[0-9a-f]|[bde]37")  # a system abend without its S
_USER_ABEND = re.compile(r"u([0-9]{3,4})")
_LETTER_O = re.compile(r"soc([4-9])")  # a system abend; SOC 1 to 3 are kinds of reports, too
_NO_ABEND = ("s000", "u0000")  # "S000 U4038": the other one is it
#: Names of certificates, ciphers and processors, which stand beside what went wrong everywhere:
#: `x509: certificate has expired`.
_STANDARDS = re.compile(
    r"x-?509|asn1|(?:sha|aes)-?(?:128|192|224|256|384|512)|(?:ed|curve|x)25519|avx-?(?:2|512)"
    r"|i[3-6]86|s390x?"
)
_ERRNO = re.compile(r"e2big|el2hlt|el2nsync|el3hlt|el3rst")
#: Of one digit alone (0xffffffff, 0x00000000) it is what is there when nothing was put there.
_HEX = re.compile(r"0x(?!([0-9a-f])\1{3,15}(?![0-9a-f]))([0-9a-f]{4,16})")
#: Windows writes an HRESULT with its 0x and without. Of digits alone are those of the facilities
#: 0 to 63 that say "failed": 80070005.
_HRESULT = re.compile(r"80[0-3][0-9]{5}")
#: Some programs write it as a number: -2147024891. That of 80000000 is the least of 32 bits.
_NEGATIVE, _FAILED = re.compile(r"-(21[0-9]{8})"), re.compile(r"80(?:0[4-9a-f]|[1-3].).{4}")
_FILE_STATUS = re.compile(r"fs[0-9]{2}")
_SQL_SIGNED = re.compile(rf"sql(?:code)?([+-]){NUMBER}")  # SQL-805
_SQL_MESSAGE = re.compile(r"sql([0-9]{3,5})([nw])")  # SQL0805N says SQLCODE -805, SQL0100W +100
#: Without its hyphen it needs all digits: exp2024 and imp01 are names; ORA1555 is none.
_ORACLE = re.compile(
    r"(ora|tns|pls|rman|imp|exp)(?:-|(?=[0-9]{5})|(?<=ora)(?=[0-9]{3}))([0-9]{1,5})"
)
_BULLETIN = re.compile(r"ms[0-9]{2}-[0-9]{3}|sp2-[0-9]{4}")  # of Windows, of SQL*Plus
_NUMBERED = re.compile(r"[a-z]{2,10}(?:-[0-9]{1,10}){1,3}")  # CVE-2026-1234
#: 100MB, 250ms, 64bit, 1990s, 1024x768, 02T10: amounts and times, not codes. 0000007B is none.
_AMOUNT = re.compile(
    r"(?!0000)[0-9]+(?:[kmgtp]?i?b?|bits?|bytes?|[mun]?s|[kmg]?hz|px|min|h|d|[xt][0-9]+z?|z|st|nd|rd|th)"
)


def _digits(text: str) -> int:
    return sum(map(str.isdigit, text))


def _part(text: str) -> str | None:
    """The form of a code without hyphens, or None if `text` is none."""
    digits = _digits(text)
    if not digits or len(text) > PART_MAX or _STANDARDS.fullmatch(text):
        return None
    if match := _HEX.fullmatch(text):
        return match[2]
    if text in _NO_ABEND:
        return None
    if match := _USER_ABEND.fullmatch(text):
        return f"u{match[1]:0>4}"
    if match := _ORACLE.fullmatch(text):
        return f"{match[1]}-{match[2]:0>5}"
    if match := _SQL_MESSAGE.fullmatch(text):
        return f"sql{match[1]:0>4}{match[2]}"
    if _SHORT_ABEND.fullmatch(text):
        return "s" + text
    if match := _LETTER_O.fullmatch(text):
        return f"s0c{match[1]}"
    if any(shape.fullmatch(text) for shape in (_ABEND, _ERRNO, _FILE_STATUS, _HRESULT)):
        return text
    # Of what merely mixes letters and digits, three digits tell S806 and 311992D3 from mp3.
    if 3 <= digits < len(text) and not _AMOUNT.fullmatch(text):
        return text
    return None


def _parts(token: str) -> Iterator[str]:
    """The codes in a token with hyphens: the whole, and each part that is one of its own."""
    if match := _ORACLE.fullmatch(token):
        yield f"{match[1]}-{match[2]:0>5}"
    elif _NUMBERED.fullmatch(token):
        if _digits(token) >= 3 and not _STANDARDS.fullmatch(token):
            yield token
    elif _BULLETIN.fullmatch(token):
        yield token
    else:
        texts = token.split("-")
        if len(token) > TOKEN_MAX:
            texts = list(dict.fromkeys(texts))
        codes = [_part(text) for text in texts]
        if codes[0] and len(token) <= TOKEN_MAX:
            yield "-".join(code or text for code, text in zip(codes, texts, strict=True))
        yield from filter(None, codes)


def _by_shape(text: str) -> Iterator[str]:
    signed: frozenset[str] | None = None
    for token in dict.fromkeys(_with_digit(text)):
        if token[0] in "+-." and (match := _SIGNED.fullmatch(token.strip("."))):
            if signed is None:
                signed = signed_codes(text)
            if (code := form(*match.groups())) in signed:
                yield code
        else:
            yield from _codes_of(token) if len(token) <= PART_MAX else _look(token)


def _with_digit(text: str) -> Iterator[str]:
    """The tokens with a digit. Most texts have few, and half of them none."""
    data = text.encode()
    if not data.translate(None, _NO_DIGITS):
        return
    spaced = " " + data.translate(_SEPARATORS).decode()
    for match in _FROM_DIGIT.finditer(spaced):
        start = match.start()
        space = spaced.rfind(" ", max(0, start - BEFORE_DIGIT_MAX - 1), start)
        if space >= 0:
            yield spaced[space + 1 : start] + match[0]


@functools.lru_cache(maxsize=20_000)
def _codes_of(token: str) -> tuple[str, ...]:
    return tuple(_look(token))


def _look(token: str) -> Iterator[str]:
    """The codes in a token that has a digit; names and numbers come again and again."""
    core = token.strip(".")
    if match := _SQL_SIGNED.fullmatch(core):
        yield form(*match.groups())
        return
    if match := _NEGATIVE.fullmatch(core):
        number = f"{2**32 - int(match[1]):x}"
        yield from [number] if _FAILED.fullmatch(number) else ()
        return
    for piece in dict.fromkeys(core.replace("+", ".").split(".")):
        piece = piece.strip("-")
        if "-" in piece:
            yield from _parts(piece)
        elif code := _part(piece):
            yield code
            if match := _SQL_MESSAGE.fullmatch(code):
                yield f"{'-' if match[2] == 'n' else '+'}{int(match[1])}"


# Numbers that are codes because of the word before them. Each pattern starts with its word, which
# the engine finds fast, and repeats nothing without a bound.
_GAP = r"(?:[\s=:(]{1,3}(?:code|key|is|was|of)){0,2}[\s=:(]{0,3}['\"]?"
_END = r"(?![0-9a-z])"
_SQLCODE = re.compile(rf"sqlcode{_GAP}(?:([+-]|minus\s|plus\s)\s?)?{NUMBER}{_END}")
SAID_SIGNS = {"minus": "-", "plus": "+"}
_AFTER_ABEND = re.compile(
    rf"abend(?:ed)?(?:\s{{1,3}}with)?{_GAP}"
    rf"(?:s?([0-9a-f]{{3}})|(?:u ?)?([0-9]{{4}})|u ?([0-9]{{1,3}})|so(c[0-9a-f])){_END}"
)
_USER_ABEND_NUMBER = re.compile(rf"(?:user abend|abended user){_GAP}([0-9]{{1,4}}){_END}")
_STATUS = re.compile(rf"status(?:(?<=file.status){_GAP}0|(?<!exit.status){_GAP})([0-9]{{2}}){_END}")
_IMS_STATUS = re.compile(
    r"status(?:(?<=ims.status)|(?<=pcb.status)|(?<=dl.i.status)|(?<=dli.status))"
    rf"{_GAP}([a-z]{{2}}){_END}"
)
_STATUS_CODE = re.compile(r"status code[\s=:(]{1,3}['\"]?([a-z]{2})(?=['\",;)]|\.?\s{0,9}$)")
_FS = re.compile(rf"fs(?<![0-9a-z]fs)[\s=:]{{1,3}}['\"]?([0-9]{{2}}){_END}")
#: The CICS abends that may have no digit: no word looks like them, yet the stems of AEIA to AEZZ
#: run together.
_CICS_ABEND = re.compile(
    rf"a(?<![0-9a-z]a)(?:e[ixyz][0-9a-z]|ica|pct|sr[abd]|tch|tni|kc[st]|kea|bmb){_END}"
)
_CICS_ABENDS = ("ae", "aica", "apct", "asr", "atch", "atni", "akc", "akea", "abmb")
#: "system completion code 0C4", "COMPLETION CODE - SYSTEM=0C4 USER=0000"
_COMPLETION = re.compile(
    r"completion code(?:(?<=system completion code)|\s{0,2}-\s{0,2}system)"
    rf"{_GAP}([0-9a-f]{{3}}){_END}"
)
_USER_COMPLETION = re.compile(
    rf"(?:user completion code|(?<=[0-9a-f] )user){_GAP}([0-9]{{1,4}}){_END}"
)
#: Data management tells an abend without its S: `IEC141I 013-18,...`, `SYS CODE = 878-10`.
_MANAGED = re.compile(rf"iec[0-9]{{3}}i\s{{1,3}}([0-9a-f]{{3}})(-[0-9a-f]{{1,2}}){_END}")
_SYS_CODE = re.compile(rf"sys code[\s=]{{1,3}}([0-9a-f]{{3}})(-[0-9a-f]{{1,2}})?{_END}")
#: DISPLAY writes all eight digits of it: EIBRESP=00000083.
_RESP = re.compile(
    r"resp(?:(?<=eibresp)|(?<=dfhresp)|(?<![0-9a-z]resp))"
    rf"(?=[\s=:(]){_GAP}0{{0,5}}([0-9]{{1,3}}){_END}"
)


def _by_context(text: str) -> Iterator[str]:
    # `in` is much faster than a pattern, and most texts hold none of these words.
    if "sqlcode" in text:
        for sign, number in _SQLCODE.findall(text):
            # Without its sign it may be either: the error is meant more often.
            said = SAID_SIGNS.get(sign.rstrip(), sign)
            yield from (f"{either}{int(number)}" for either in said or "-+")
    if "abend" in text:
        yield from (f"u{number:0>4}" for number in _USER_ABEND_NUMBER.findall(text))
        for system, user, short, letter_o in _AFTER_ABEND.findall(text):
            if letter_o:
                yield f"s0{letter_o}"
            elif not system:
                yield f"u{user or short:0>4}"
            elif _digits(system):
                yield f"s{system}"
    if "completion code" in text:
        yield from (f"s{system}" for system in _COMPLETION.findall(text) if system != "000")
        yield from (f"u{user:0>4}" for user in _USER_COMPLETION.findall(text) if int(user))
    if "iec" in text:
        yield from _told(_MANAGED, text)
    if "sys code" in text:
        yield from _told(_SYS_CODE, text)
    if "status" in text:
        yield from (f"fs{number}" for number in _STATUS.findall(text))
        yield from (f"ims-{letters}" for letters in _IMS_STATUS.findall(text))
        yield from (f"ims-{letters}" for letters in _STATUS_CODE.findall(text))
    if any(map(text.__contains__, _CICS_ABENDS)):
        yield from _CICS_ABEND.findall(text)
    if "fs" in text:
        yield from (f"fs{number}" for number in _FS.findall(text))
    if "resp" in text:
        yield from (f"resp{int(number)}" for number in _RESP.findall(text))


def _told(pattern: re.Pattern[str], text: str) -> Iterator[str]:
    for abend, reason in pattern.findall(text):
        yield from (f"s{abend}{reason}", f"s{abend}") if reason else (f"s{abend}",)


#: IEF450I, DSNT408I: it tells of an event, and often carries the code of its cause.
_MESSAGE = re.compile(r"[a-z]{3,8}[0-9]{3,5}[a-z]?|dfh[a-z]{2}[0-9]{4}")
#: Whose messages begin so. Of other names with digits (PAYR010, STEP010, IGG0191B) most are of
#: jobs, steps and modules.
_SENDERS = re.compile(
    r"ad[ry]|amq|aof|arc|atb|axr|bpx|cau|cbc|cee|cnm|cns|cnz|csq|csv|cun|dfh|dfs|dmk|dsi|dsn|edc|edg"
    r"|eqq|erb|eyu|ez[adyz]|fsum|gim|hasp|hzs|ia[rtx]|ib[ms]|ic[behks]|idc|idp|ie[abcefkwx]|ig[dwyz]"
    r"|ih[js]|ik[jt]|ims|io[cs]|ir[arx]|is[gpt]|itt|iw[mo]|ix[cgl]|iz[up]|resp|sql|tss|wer"
)
_NAME = re.compile(r"[a-z]{3,8}[0-9]{2,5}[a-z]?")
NO_CODES = {"b2b", "b2c", "db2", "e2e", "ec2"}  # products and words of hexadecimal digits
_BARE = re.compile(r"(?=[0-9a-f]{0,2}[0-9])[0-9a-f]{3}")
_BARE_USER = re.compile(r"u([0-9]{1,4})")


def is_message(code: str) -> bool:
    """Whether a code has the form of a message's id."""
    return _MESSAGE.fullmatch(code) is not None


def is_name(code: str) -> bool:
    """Whether a code has no more than the shape of one, as the names of jobs and steps have."""
    return _NAME.fullmatch(code) is not None and not _SENDERS.match(code)


def bare_codes(text: str) -> list[str]:
    """The codes that `text` may stand for, when it is all that is asked for.

    `013` is the abend S013, `805` may be SQLCODE -805 too, `u16` is U0016; in a sentence none of
    them would be a code.
    """
    text = text.strip().lower()
    if match := _BARE_USER.fullmatch(text):
        return [f"u{match[1]:0>4}"]
    if text in NO_CODES or not _BARE.fullmatch(text):
        return []
    number = [f"-{int(text)}", f"+{int(text)}"] if text.isdigit() else []
    return [f"s{text}", *number]


def listed_codes(listed: object) -> tuple[str, ...]:
    """What a custom field `codes` holds, if that is a list: its first LISTED_MAX short texts."""
    texts = (one for one in listed if isinstance(one, str)) if isinstance(listed, list) else ()
    return tuple(one for one in texts if len(one) <= TOKEN_MAX)[:LISTED_MAX]


def find_codes(text: str) -> list[str]:
    """The codes in `text`, each once, in a form that compares exactly.

    First those that show by their shape, then those that a word before them makes codes:
    `FILE STATUS 35` is `fs35`, `SQLCODE 805` may be `-805` or `+805`, `abend 878` is `s878`.
    The time it takes is in proportion to the length, whatever the text.
    """
    if not text.isascii():
        text = text.translate(_DASHES).encode("ascii", "replace").decode()
    lower = text.lower()
    codes = [*_by_shape(lower), *_by_context(lower)]
    return list(dict.fromkeys(codes)) if codes else codes
