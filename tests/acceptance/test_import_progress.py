"""What an import says of itself while it runs."""

import subprocess
import sys
import threading
from pathlib import Path

import orjson
import pytest

from tests.support.casebook import LIMIT, Casebook


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """1,500 good rows and 5 bad ones."""
    path = tmp_path / "progress.ndjson"
    rows = [{"title": f"progress {n}", "external_id": n} for n in range(1500)]
    path.write_bytes(b"\n".join(orjson.dumps(row) for row in [*rows, *[{"title": "no"}] * 5]))
    return path


def test_progress_as_json_lines(casebook: Casebook, source: Path) -> None:
    """On stderr nothing else; the last line has all rows and how far the index is behind."""
    options = ("--source", "progress", "--progress", "json", "--json")
    done = casebook.run("import", str(source), *options)
    assert done.json["counts"]["received"] == 1505
    states = [orjson.loads(line) for line in done.err.splitlines()]
    last = states[-1]
    assert (last["rows"], last["accepted"], last["rejected"]) == (1505, 1500, 5)
    assert last["bytes"] == last["bytes_total"] == source.stat().st_size
    assert last["index_behind"] == 0
    assert last["eta_seconds"] == 0
    assert last["rows_per_second"] > 0 and last["mb_per_second"] > 0


def test_progress_as_plain_lines(casebook: Casebook, source: Path) -> None:
    """Text without control characters, for a log."""
    done = casebook.run("import", str(source), "--source", "plain", "--progress", "plain")
    last = done.err.splitlines()[-1]
    assert last.startswith("1,500 accepted, 5 rejected, ")
    assert last.endswith("index 0 behind")
    assert "\x1b" not in done.err


def test_a_script_is_told_in_lines(casebook: Casebook, source: Path) -> None:
    """The id that a stopped import is gone on with, and how far it is: JSON where the report is."""
    done = casebook.run("import", str(source), "--source", "script")
    first, *_, last = done.err.splitlines()
    assert first.startswith("import ") and last.startswith("1,500 accepted, 5 rejected, ")
    done = casebook.run("import", str(source), "--source", "script", "--json")
    states = [orjson.loads(line) for line in done.err.splitlines()]
    assert states[0] == {"import": done.json["id"]}
    assert (states[-1]["import"], states[-1]["rows"]) == (done.json["id"], 1505)
    assert len(done.out.splitlines()) == 1
    done = casebook.run("import", str(source), "--source", "script", "--json", "--progress", "none")
    assert orjson.loads(done.err) == {"import": done.json["id"]}


def test_quiet_is_quiet(casebook: Casebook, source: Path) -> None:
    """Not even the id."""
    for more in ((), ("--json",)):
        assert casebook.run("import", str(source), "--source", "script", "--quiet", *more).err == ""


def test_the_id_and_the_index_are_told_while_rows_are_read(casebook: Casebook) -> None:
    """A script that is killed meanwhile knows what to go on with, and how far the index is."""
    process = subprocess.Popen(
        [sys.executable, "-m", "cli", "import", "-", "--source", "told", "--json"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=casebook.environment,
    )
    assert process.stdin is not None and process.stderr is not None
    late = threading.Timer(LIMIT, process.kill)
    late.start()
    try:
        first = orjson.loads(process.stderr.readline())
        body = {"problem": "told " * 100}  # what is shorter than a piece of 64 KiB is not read yet
        for n in range(1_000):
            process.stdin.write(orjson.dumps(body | {"title": f"told {n}"}) + b"\n")
        process.stdin.flush()
        state = {"index_behind": None, "rows": 0}
        while state["index_behind"] is None or not state["rows"]:
            state = orjson.loads(process.stderr.readline())
        assert state["rows"] < 1_000 and state["eta_seconds"] is None
        report, _ = process.communicate()
    finally:
        late.cancel()
        process.kill()
    assert first == {"import": orjson.loads(report)["id"]}


def test_errors_are_json_lines_where_json_is_asked_for(
    casebook: Casebook, source: Path, tmp_path: Path
) -> None:
    """Of an import that stops, of one that can't begin, and of the commands beside it."""
    rejects = tmp_path / "rejects.ndjson"
    options = ("--source", "lines", "--max-rejects", "1", "--rejects", str(rejects), "--json")
    done = casebook.run("import", str(source), *options)
    *_, kept, written, error = [orjson.loads(line) for line in done.err.splitlines()]
    import_id = done.json["id"]
    resume = f"casebook import --resume {import_id} FILES"
    assert kept == {"kept": {"import": import_id, "rows": 1505, "resume": resume}}
    assert written == {"rejects": {"rows": 5, "files": [str(rejects)]}}
    assert (done.code, error["error"]["code"]) == (1, "TOO_MANY_REJECTS")
    nothing = str(tmp_path / "nothing.ndjson")
    (tmp_path / "empty").mkdir()
    for command in (("import", nothing), ("lint", str(tmp_path / "empty"))):
        done = casebook.run(*command, "--json")
        assert orjson.loads(done.err)["error"]["code"] == "SOURCE_UNREADABLE"
        assert done.code == 2
