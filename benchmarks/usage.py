"""CPU and memory of the processes of an instance, by what they do. Linux only."""

import os
import re
import subprocess
import threading
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from benchmarks.instance import Instance

EVERY = 0.5  # seconds between two looks at the memory
_TICK = os.sysconf("SC_CLK_TCK")


def cpu_seconds(casebook: Instance) -> Counter[str]:
    """CPU seconds used so far, by kind of process; those of ended children are their parent's."""
    used: Counter[str] = Counter()
    for pid in casebook.pids:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
            used[kind(pid)] += sum(map(int, fields[11:15])) / _TICK
        except OSError:
            continue  # it ended meanwhile
    return used


def cpu_of(server: int) -> float:
    """CPU seconds used so far by a server and its children, ended ones too."""
    listed = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, check=True).stdout
    pairs = [tuple(map(int, line.split())) for line in listed.splitlines()]
    used = 0.0
    for pid in [server, *(child for child, parent in pairs if parent == server)]:
        with suppress(OSError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
            used += sum(map(int, fields[11:15])) / _TICK
    return used


def kind(pid: int) -> str:
    """What a process does: postgres, valkey, or the last word of our own command lines."""
    words = Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").split(b"\0")
    line = b" ".join(words).decode(errors="replace")
    for name in ("postgres", "valkey", "importer", "indexer", "uvicorn"):
        if name in line:
            return name
    return words[-1].decode(errors="replace")[:20] or "other"


@contextmanager
def peaks(casebook: Instance, clients: Iterable[int]) -> Iterator[Counter[str]]:
    """Peak memory in MB, by kind of process, while the block runs.

    Resident memory of `clients` (pids, which may be added later). Of an instance's processes the
    anonymous part: the pages of mapped files (the index) the kernel takes back when it needs them.
    """
    found: Counter[str] = Counter()
    ending = threading.Event()

    def note(name: str, pid: int, field: str) -> None:
        with suppress(OSError):
            text = Path(f"/proc/{pid}/status").read_text()
            if size := re.search(rf"^{field}:\s+(\d+) kB", text, re.MULTILINE):
                found[name] = max(found[name], int(size[1]) // 1024)

    def look() -> None:
        while not ending.wait(EVERY):
            for pid in casebook.pids:
                with suppress(OSError):
                    note(kind(pid), pid, "RssAnon")
            for pid in tuple(clients):
                note("client", pid, "VmRSS")

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        ending.set()
        thread.join()
