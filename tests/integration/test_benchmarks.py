"""What a benchmark starts ends with it, whatever ends the benchmark."""

import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

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


def test_a_folder_that_is_no_collection_is_named(tmp_path: Path) -> None:
    """With what it lacks, before anything is measured."""
    (tmp_path / "queries.jsonl").touch()
    lacks = {tmp_path: "qrels.tsv", tmp_path / "nowhere": "queries.jsonl, qrels.tsv"}
    for folder, lacking in lacks.items():
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.relevance", str(folder)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, "Traceback" in done.stderr) == (2, False)
        assert f"{folder} has no corpus.jsonl, {lacking}: " in done.stderr
