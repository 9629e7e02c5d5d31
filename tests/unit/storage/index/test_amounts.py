"""What is left of a line whose numbers would outweigh its words."""

import time

import pytest

from storage.index.amounts import without_amounts
from storage.index.grammar import Group, Understood, Words, leaves
from storage.index.parser import understand

PODS = """NAME                    READY   STATUS             RESTARTS      AGE
orders-x2vbn            0/1     CrashLoopBackOff   12 (2m ago)   40m
billing-qq8zl           1/1     Running            0             40d"""


def asked_for(q: str) -> str:
    asked = without_amounts(understand(q), lambda stem: stem != "unheard")
    return " ".join(leaf.text for leaf in leaves(asked.root) if isinstance(leaf, Words))


@pytest.mark.parametrize(
    ("q", "left"),
    [
        (
            "orders-x2vbn 0/1 CrashLoopBackOff 12 (2m ago) 40m",
            "orders-x2vbn CrashLoopBackOff ago",
        ),
        ("pod/orders 0/1 ImagePullBackOff 0 3m11s", "pod/orders ImagePullBackOff"),
        ("2026-11-22 03:11:02 +0100 too many open files", "too many open files"),
        ("2026-11-22T03:11:02.123Z ERROR too many files", "ERROR too many files"),
        ("[22/Nov/2026:03:11:02 +0100] GET /orders 502", "[ ] GET /orders 502"),
        (PODS, "orders-x2vbn CrashLoopBackOff ( ago) billing-qq8zl Running"),
        (
            "2026/11/22 03:11:02 [error] 31#31: closed, client: 10.1.2.3:8080, for: a.com HTTP/1.1",
            "[error] # : closed, client: , for: a.com HTTP/ .",
        ),
        ("kernel: [7.1] Out of memory: UID:1000 adj:0", "kernel: Out of memory: UID:1000 adj:"),
        ("[   12.345678] EXT4-fs error", "EXT4-fs error"),
        ("ssh: connect to 10.1.2.3 port 22: refused", "ssh: connect to port : refused"),
    ],
)
def test_numbers_of_a_pasted_line_are_left_out(q: str, left: str) -> None:
    """Times, ages and counts; what else has digits stays."""
    assert asked_for(q).split() == left.split()
    asked = without_amounts(understand(q), lambda _: 1)
    assert "numbers and times were left out" in asked.notes


@pytest.mark.parametrize(
    "q",
    [
        "outage of 2026-11-22 03:11",
        "FILE STATUS 35 in step 2",
        "exit code 137",
        "ping 10.1.2.3 fails",
        "version 10.1.2 of: 22",
        "postgresql 9 to 10",
        "at 03:11:02 the nightly payroll job failed with a data exception",
        "1 2 3",
        "unheard 1 2 3",
    ],
)
def test_few_numbers_are_words_like_others(q: str) -> None:
    """And so are those beside which nothing is known."""
    asked = understand(q)
    assert without_amounts(asked, lambda stem: stem != "unheard") is asked


def test_a_line_of_a_log_means_each_word_once() -> None:
    """What a program repeats is no more of what it says; what somebody types is."""
    text = "anon-rss:98765kB, file-rss:1kB, shmem-rss:2kB"
    for q, count in ((f"kernel: [7.1] {text}", 1), (text, 3)):
        (run,) = without_amounts(understand(q), lambda _: 1).root.wanted
        assert isinstance(run, Words)
        assert dict(run.stems)["rss"] == count


def test_codes_stay() -> None:
    """Whatever they were told by."""
    asked = without_amounts(understand("03:11:02 SQLCODE 35 0/1 12"), lambda _: 1)
    assert asked.codes == ("-35", "+35")
    copied = without_amounts(understand("Nov 22 03:11:02 host x[1]: S0C7-04 FS 35"), lambda _: 1)
    assert copied.codes == ("s0c7-04", "s0c7", "fs35")
    assert without_amounts(Understood(), lambda _: 1) == Understood()


@pytest.mark.parametrize(
    "part", ["1 ", "1:", "11:11:11 ", "2026-", "1/", "12d", "A  ", "\t", "+1", "1.", "1.1.1.1:"]
)
def test_long_text_takes_time_in_proportion(part: str) -> None:
    """10,000 characters made to send patterns back and forth."""
    run = Words((("a", 1),), text="03:11:02 " + part * (10_000 // len(part)))
    begun = time.process_time()
    without_amounts(Understood(Group((run,))), lambda _: 1)
    assert time.process_time() - begun < 0.5
