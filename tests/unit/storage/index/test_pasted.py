"""What was copied from a log, told from what was typed."""

import time

import pytest

from storage.index.pasted import is_copied, is_pasted


@pytest.mark.parametrize(
    "q",
    [
        "2026-11-22 03:11:02 too many files",
        "2026-11-22T03:11:02Z too many files",
        "2026/11/22 03:11:02 [error] closed",
        "[22/Nov/2026:03:11:02 +0100] GET /orders 502",
        "Nov  2 03:11:02 host kernel: x",
        "Sun Nov 22 03:11:02 2026 x",
        "E1122 03:11:02.123456 failed",
        "22.11.2026 03:11:02 failed",
        "03:11:02 CICSA failed",
        "kernel: [7.1] Out of memory",
        "[    7.123456] Out of memory",
        "ssh: connect to host 10.1.2.3 port 22",
        "the host at 10.1.2.3:8080 does not answer since we moved it away",
    ],
)
def test_the_line_of_a_log_is_copied(q: str) -> None:
    """It begins with a time, or a program names a host."""
    assert is_copied(q)
    assert is_pasted(q)


@pytest.mark.parametrize(
    "q",
    [
        "",
        "ping 10.1.2.3",
        "outage of 2026-11-22 03:11:02",
        "2026-11-22 outage",
        "2026-11-22 03:11 outage",
        "version: 1.2.3.4.5",
        "[7] of: 9",
        "S0C7\n",
    ],
)
def test_what_somebody_types_is_not(q: str) -> None:
    """Dates, addresses and numbers are words there."""
    assert not is_pasted(q)


def test_long_text_and_several_lines_are_pasted() -> None:
    """Whatever is in them."""
    assert is_pasted("a\nb")
    assert is_pasted("a " * 300)
    assert not is_copied("a\nb")


@pytest.mark.parametrize("part", ["1.", "1.1.1.1", "1:", "[", " ", "a: ", "2026-11-22 ", "Nov 22 "])
def test_long_text_takes_time_in_proportion(part: str) -> None:
    """20,000 characters made to send patterns back and forth."""
    text = part * (20_000 // len(part))
    begun = time.process_time()
    is_copied(text)
    assert time.process_time() - begun < 0.5
