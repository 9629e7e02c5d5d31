"""Kills while writing, and swaps under searches."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path

import pytest

from storage.index.searcher import IndexReader
from storage.index.writer import IndexWriter
from tests.integration.storage.index.conftest import Fill
from tests.integration.storage.index.index_helpers import ask, at, entry

KILLS = 10
#: For each line that it reads it forks a process that writes for ever: to import what that needs
#: takes far longer than to write.
WRITE_FOR_EVER = """
import os
import sys
from pathlib import Path
from tests.integration.storage.index.index_helpers import at, entry
from storage.index.writer import IndexWriter

root = Path(sys.argv[1])

def write():
    writer = IndexWriter.open_current(root) or IndexWriter.build_new(root)
    try:
        number = writer.position.txid
    except LookupError:
        number = 0
    while True:
        number += 1
        counter = entry("counter", version=number)
        writer.apply([counter, entry(f"number {number}")], [entry(f"number {number - 3}").id])
        writer.commit(at(number))
        print(number, flush=True)

for _ in sys.stdin:
    child = os.fork()
    if not child:
        print(os.getpid(), flush=True)
        write()
    _, status = os.waitpid(child, 0)
    print("killed by", os.WTERMSIG(status), flush=True)
"""


def test_a_kill_leaves_index_and_position_agreeing(root: Path) -> None:
    """After kill -9 at any moment the index holds exactly what its position says."""
    moments = random.Random(8)
    paths = os.pathsep.join([str(Path.cwd()), str(Path(__file__).parent)])
    with subprocess.Popen(
        [sys.executable, "-c", WRITE_FOR_EVER, str(root)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": paths},
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for _ in range(KILLS):
            print(file=process.stdin, flush=True)
            victim = int(process.stdout.readline())
            for _commit in range(moments.randint(1, 6)):
                acknowledged = int(process.stdout.readline())
            time.sleep(moments.uniform(0, 0.03))  # the moment itself is what varies
            os.kill(victim, signal.SIGKILL)
            while (line := process.stdout.readline()) != f"killed by {signal.SIGKILL:d}\n":
                acknowledged = int(line)
            _agrees(root, acknowledged)


def _agrees(root: Path, acknowledged: int) -> None:
    writer = IndexWriter.open_current(root)
    assert writer is not None
    number = writer.position.txid
    writer.close()
    assert number >= acknowledged
    reader = IndexReader(root)
    told = reader.published()
    assert told is not None
    assert told.position == at(number)
    kept = range(max(1, number - 2), number + 1)
    expected = {entry(f"number {n}").id: 1 for n in kept} | {entry("counter").id: number}
    assert dict(reader.ids_and_versions()) == expected
    assert (told.documents, ask(reader).position) == (len(expected), str(at(number)))


def test_searches_go_on_while_folders_are_swapped(
    root: Path, fill: Fill, writer: IndexWriter
) -> None:
    """No search fails, loses the entry or goes back while commits and rebuilds take turns."""
    reader = fill(entry("constant"))
    writer.close()
    failures: list[BaseException] = []
    ended = threading.Event()

    def search() -> None:
        generation = 0
        try:
            while not ended.is_set():
                reply = ask(reader, "constant")
                assert reply.total == 1
                assert reply.generation >= generation
                generation = reply.generation
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=search) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for number in range(2, 32, 3):
            anew = IndexWriter.build_new(root)
            anew.apply([entry("constant", version=number)], ())
            for commit in range(3):
                anew.commit(at(number + commit))
            anew.close()
    finally:
        ended.set()
        for thread in threads:
            thread.join()
    assert failures == []
    assert ask(reader).position == str(at(31))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="only where processes can fork")
def test_a_forked_process_opens_for_itself(root: Path, fill: Fill, writer: IndexWriter) -> None:
    """A child that inherits a reader sees commits made after the fork."""
    reader = fill(entry("before"))
    assert ask(reader).total == 1
    asking, go = os.pipe()
    with warnings.catch_warnings(action="ignore"):  # the writer has threads; the child uses none
        child = os.fork()
    if child == 0:  # pragma: no cover - it ends without the test's clean-up
        os.close(go)
        os.read(asking, 1)
        os._exit(0 if ask(reader, "after").total == 1 else 1)
    writer.apply([entry("after")], ())
    writer.commit(at(2))
    os.write(go, b"!")
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    os.close(go)
    os.close(asking)
