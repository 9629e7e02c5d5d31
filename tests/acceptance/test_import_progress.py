"""What an import says of itself while it runs."""

from pathlib import Path

import orjson
import pytest

from tests.support.casebook import Casebook


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


def test_a_script_is_told_nothing_unless_it_asks(casebook: Casebook, source: Path) -> None:
    """Beside the id that a stopped import is gone on with; with --quiet not even that."""
    done = casebook.run("import", str(source), "--source", "script")
    assert [line.split()[0] for line in done.err.splitlines()] == ["import"]
    assert casebook.run("import", str(source), "--source", "script", "--quiet").err == ""
    assert casebook.run("import", str(source), "--source", "script", "--json").err == ""
