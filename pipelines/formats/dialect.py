"""Which delimiter and quotes a CSV has: those under which its first records look alike."""

import csv
import io
import re

DELIMITERS = ",;\t|"
RECORDS = 100  # looked at


def sniff(sample: str, delimiter: str | None = None) -> type[csv.Dialect]:
    """The dialect of a text that begins with `sample`, which ends with a whole line.

    A wrong quote is an error (`strict`): else it would swallow what follows.
    """
    quote = "'" if _single_quoted(sample) else '"'
    found = [
        _dialect(one, quote, escape, blanks=_blanks(sample, one, quote))
        for escape in (None, "\\")
        if escape is None or f"\\{quote}" in sample
        for one in (delimiter or DELIMITERS)
    ]
    return max(found, key=lambda dialect: _likeness(sample, dialect))


def _blanks(sample: str, mark: str, quote: str) -> bool:
    """Whether blanks behind a delimiter are no part of cells: a quote follows some, or every
    column's name but the first."""
    mark = re.escape(mark)
    header = rf"[^{mark}\r\n]+(?:{mark} [^{mark}\r\n]*)+(?:[\r\n]|\Z)"
    if re.match(header, sample.lstrip()):
        return True
    quoted = rf"{mark} +{quote}(?:[^{quote}]|{quote}{quote})+{quote} *(?:{mark}|[\r\n]|\Z)"
    return re.search(quoted, sample) is not None


def _dialect(mark: str, quote: str, escape: str | None, *, blanks: bool) -> type[csv.Dialect]:
    class Sniffed(csv.excel):
        delimiter = mark
        quotechar = quote
        escapechar = escape
        doublequote = escape is None
        skipinitialspace = blanks
        strict = True

    return Sniffed


def _likeness(sample: str, dialect: type[csv.Dialect]) -> tuple[bool, float, int]:
    """More is better: several columns, then as many in each record as in the header."""
    reader = csv.reader(io.StringIO(sample, newline=""), dialect=dialect)
    widths: list[int] = []
    while len(widths) < RECORDS:
        try:
            record = next(reader)
        except StopIteration:
            break
        except csv.Error:
            widths.append(0)
        else:
            if record:
                widths.append(len(record))
    if not widths:
        return False, 0.0, 0
    alike = sum(width == widths[0] for width in widths) / len(widths)
    return widths[0] > 1, alike, widths[0]


def _single_quoted(sample: str) -> bool:
    """Whether cells stand in ' quotes: all of the header do, and none stands in double ones."""
    border = re.escape(DELIMITERS)
    if re.search(rf'(?:^|[{border}] *)"', sample, re.MULTILINE):
        return False
    cell = r"'(?:[^'\r\n]|'')*+'"
    return re.match(rf"\s*{cell}(?:[{border}] *{cell})*\s*?$", sample, re.MULTILINE) is not None
