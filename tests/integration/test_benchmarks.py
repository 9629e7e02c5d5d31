"""What a benchmark starts ends with it, whatever ends the benchmark."""

import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from benchmarks.judged import missing
from tests.support.casebook import ROOT
from tests.support.waiting import SOON

PROGRAM = """
import signal, sys
from pathlib import Path
from benchmarks.processes import running, unwinding
sleeper = [sys.executable, "-c", "import time; time.sleep(600)"]
with unwinding(), running(sleeper, Path(sys.argv[1])) as process:
    print(process.pid, flush=True)
    signal.pause()
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_what_was_started(tmp_path: Path, number: signal.Signals) -> None:
    """The exit code tells of the signal."""
    benchmark = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(tmp_path / "log")], cwd=ROOT, stdout=subprocess.PIPE
    )
    with benchmark:
        assert benchmark.stdout is not None
        started = int(benchmark.stdout.readline())
        benchmark.send_signal(number)
        assert benchmark.wait(SOON) == 128 + number
    assert not psutil.pid_exists(started)


def test_what_a_folder_lacks_of_a_collection(tmp_path: Path) -> None:
    """By the names of its files, however the entries are packed."""
    assert missing(tmp_path) == ["corpus.jsonl", "queries.jsonl", "qrels.tsv"]
    (tmp_path / "queries.jsonl").touch()
    (tmp_path / "corpus.jsonl.gz").touch()
    assert missing(tmp_path) == ["qrels.tsv"]
