"""Tells what somebody copied from what somebody typed."""

import re

from storage.index.parser import PASTED
from storage.index.prose import PROSE

_CLOCK = r"\d{1,2}:\d\d:\d\d"
#: `2026-11-22T03:11:02`, `2026/11/22 03:11:02`, `[22/Nov/2026:03:11:02`, `Nov 22 03:11:02`,
#: `E1122 03:11:02`, `kernel: [    7.123456]`.
_BEGINS_WITH_TIME = re.compile(
    rf"\s{{0,9}}(?:[\w.-]{{1,40}}:\s)?(?:[\[(<]?(?:\d{{4}}[-/.]\d\d[-/.]\d\d[T\s]"
    rf"|\d\d[-/.]\d\d[-/.]\d{{2,4}}\s|\d{{1,2}}/[A-Z][a-z]{{2}}/\d{{4}}:|[IWEF]\d{{4}}\s"
    rf"|(?:[A-Z][a-z]{{2}}\s)?[A-Z][a-z]{{2}}\s{{1,2}}\d{{1,2}}\s)?{_CLOCK}"
    r"|\[\s{0,9}\d{1,7}\.\d{1,9}\])"
)
#: Of a host, with its port.
ADDRESS = re.compile(r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?::\d{1,5})?(?!\w|\.\w)")
_PRINTED = re.compile(r"\w:\s")  # by a program: `ssh: connect to host ...`


def is_pasted(text: str) -> bool:
    """Whether it is long, of several lines, or the line of a log."""
    return len(text) > PASTED or "\n" in text.strip() or is_copied(text)


def is_copied(text: str) -> bool:
    """Whether it is from a log: it begins with a time, or has a host's address among its words."""
    if _BEGINS_WITH_TIME.match(text):
        return True
    if not ADDRESS.search(text):
        return False
    return _PRINTED.search(text) is not None or len(text.split(None, PROSE)) >= PROSE
