"""Any encoding as UTF-8: declared, by its byte order mark, or by looking at the beginning."""

import codecs
import io
import re
from typing import Any

from contracts.errors import EncodingUnknown
from pipelines.formats.source import Ahead

PIECE = 64 * 1024  # bytes read at once

#: Longer marks first: UTF-32's begins with UTF-16's.
MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)

#: What spreadsheets save where nobody chose UTF-8. Few: of many that fit a text of a few words
#: the rarest would win as often as not.
LIKELY = ("cp1252", "cp1250", "cp1251", "cp932", "euc_jp", "gb18030", "big5", "cp949")
USUAL = "cp1252"

UNMARKED = 1024  # bytes of a first line that are looked at to find UTF-16 that does not say so
ASCII = 0.1  # the part of them that is NUL, at least, as some characters of any header are ASCII
CONTROL = re.compile(r"[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")  # in what is no text
NEARLY = 0.1  # how much less orderly the usual one may look than the best


#: Python's names of what it has not: another one, and the characters that have changed places.
ALIKE = {"cp1047": ("cp037", dict(zip(map(ord, "^[]¬Ý¨"), "¬Ý¨^[]", strict=True)))}
NAMES = {"cp1047": "cp1047", "ibm1047": "cp1047", "1047": "cp1047"}

#: Ends a line in EBCDIC as LF does; elsewhere it is a character among others.
NEL = "\x85"


class Recoded(io.RawIOBase):
    """A stream in some encoding as UTF-8.

    A byte that the encoding does not have becomes one that UTF-8 does not have either, so that
    the row it stands in is a reject, not a guess. Reading raises EOFError where the stream ends
    within a character.
    """

    def __init__(self, stream: Any, encoding: str) -> None:
        wide = encoding.startswith(("utf-16", "utf-32"))
        base, self._others = ALIKE.get(encoding, (encoding, {}))
        if _is_ebcdic(base):
            self._others = self._others | {ord(NEL): "\n"}
        decoder = codecs.getincrementaldecoder(base)
        self._decoder = decoder("surrogatepass" if wide else "surrogateescape")
        self._stream = stream
        self._held = b""
        self._ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._held and not self._ended:
            data = self._stream.read(PIECE) or b""
            self._ended = not data
            try:
                text = self._decoder.decode(data, final=self._ended)
            except UnicodeError as error:
                raise EOFError(f"it is no text any more ({error})") from None
            text = text.translate(self._others) if self._others else text
            self._held = text.encode("utf-8", "surrogatepass")
        piece = self._held[: len(buffer)]
        buffer[: len(piece)] = piece
        self._held = self._held[len(piece) :]
        return len(piece)


def _is_ebcdic(encoding: str) -> bool:
    try:
        return b"\x15".decode(encoding) == NEL
    except UnicodeError:
        return False


def declared(stream: Ahead, encoding: str | None) -> tuple[Ahead, str]:
    """The stream in UTF-8 without its mark, and its encoding; "" where nothing tells it.

    Raises: EncodingUnknown for an `encoding` that Python has not.
    """
    head = stream.head(4)
    for mark, name in MARKS:
        if head.startswith(mark):
            stream.skip(len(mark))
            return recoded(stream, name), name
    if encoding is None:
        return stream, ""
    return recoded(stream, encoding), encoding


def recoded(stream: Ahead, encoding: str) -> Ahead:
    """The stream in UTF-8. Raises: EncodingUnknown."""
    name = checked(encoding)
    return stream if name == "utf-8" else Ahead(Recoded(stream, name))


def checked(encoding: str) -> str:
    """Python's name of the encoding, or what it would be. Raises: EncodingUnknown for none, and
    for no text's."""
    if (ours := NAMES.get(re.sub("[-_ ]", "", encoding.lower()))) is not None:
        return ours
    try:
        found = codecs.lookup(encoding)
        codecs.getincrementaldecoder(found.name)
        "".encode(found.name)  # raises LookupError for what encodes no text
    except (LookupError, ValueError):  # a NUL in the name is a ValueError
        message = f"There is no encoding {encoding[:40]!r}."
        raise EncodingUnknown(message, encoding=encoding[:40]) from None
    return found.name


def unmarked(head: bytes) -> str:
    """The UTF-16 that a text has which begins so, without its mark; "" for any other text.

    Each ASCII character has its NUL on one side, which is where no other character has any.
    """
    sample = head[:UNMARKED].partition(b"\n")[0]
    even, odd = sample[::2].count(0), sample[1::2].count(0)
    if max(even, odd) <= ASCII * len(sample) or max(even, odd) < 10 * min(even, odd):
        return ""
    encoding = "utf-16-be" if even > odd else "utf-16-le"
    try:
        text = codecs.getincrementaldecoder(encoding)().decode(sample)
    except UnicodeDecodeError:
        return ""
    return "" if CONTROL.search(text) else encoding


def is_utf8(sample: bytes) -> bool:
    """Whether it may be the beginning of a text in UTF-8."""
    try:
        codecs.getincrementaldecoder("utf-8")().decode(sample)
    except UnicodeDecodeError:
        return False
    return True


def likely(sample: bytes) -> str:
    """The encoding that a text which is not UTF-8 probably has."""
    from charset_normalizer import from_bytes  # 3 MB, which only such a text is worth

    whole = sample[: sample.rfind(b"\n") + 1] or sample  # a cut character would speak against it
    matches = from_bytes(whole, cp_isolation=list(LIKELY), enable_fallback=False)
    best = matches.best()
    if best is None:
        return USUAL
    for match in matches:
        names = {match.encoding, *match.could_be_from_charset}
        if USUAL in names and match.chaos <= best.chaos + NEARLY:
            return USUAL
    return str(best.encoding)
