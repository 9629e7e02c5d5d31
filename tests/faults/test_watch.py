"""`casebook watch`, whatever happens to its files and to itself."""

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest

from contracts.errors import DatabaseUnavailable
from deploy.valkey import EmbeddedValkey
from tests.support.casebook import Casebook
from tests.support.proxy import Proxy

PATIENCE = 60.0  # seconds for one thing to happen
MANY = 5_000  # rows: enough to be still at it when something happens


@contextmanager
def watching(
    casebook: Casebook, folder: Path, *options: str, settle: float = 0.5, **environment: str
) -> "Iterator[subprocess.Popen[bytes]]":
    """`casebook watch` on the folder, ended at the end."""
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "cli",
            "watch",
            str(folder),
            "--json",
            "--settle",
            str(settle),
            *options,
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=casebook.environment | environment,
    )
    try:
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=PATIENCE)


def told(process: "subprocess.Popen[bytes]") -> Any:
    """The next line that it prints. A watch that ends has no more."""
    assert process.stdout is not None
    timer = threading.Timer(PATIENCE, process.kill)
    timer.start()
    try:
        line = process.stdout.readline()
    finally:
        timer.cancel()
    assert line, process.stderr and process.stderr.read().decode()
    return orjson.loads(line)


def until(true: Callable[[], Any], what: str) -> None:
    """Return when it is so. Fails when it never is."""
    pause, deadline = threading.Event(), time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline, what
        pause.wait(0.02)


def rows(source: str, start: int, stop: int, problem: str = "as it was") -> bytes:
    """NDJSON."""
    return b"".join(
        orjson.dumps({"title": f"{source} {n}", "external_id": n, "problem": problem}) + b"\n"
        for n in range(start, stop)
    )


def stored(casebook: Casebook, source: str) -> list[dict[str, Any]]:
    """The entries of a source."""
    out = casebook.run("export", "--source", source).out
    return [orjson.loads(line) for line in out.splitlines()]


def journal(folder: Path) -> Any:
    """What the folder remembers."""
    try:
        return orjson.loads((folder / ".casebook.json").read_bytes())
    except FileNotFoundError:
        return {}


def put(folder: Path, name: str, data: bytes) -> None:
    """A file that appears whole."""
    staged = folder / f".{name}"
    staged.write_bytes(data)
    staged.rename(folder / name)


def test_files_are_imported_as_they_come(casebook: Casebook, tmp_path: Path) -> None:
    """One that is there, one that comes, and a broken one, with its rejects and why beside it."""
    put(tmp_path, "first.ndjson", rows("come", 0, 10))
    with watching(casebook, tmp_path, "--source", "come") as process:
        assert told(process)["state"] == "done"
        put(tmp_path, "second.csv", b"external_id,title\n100,come by csv\n")
        assert told(process)["report"]["counts"]["created"] == 1
        put(tmp_path, "broken.ndjson", rows("come", 200, 205) + b'{"title": "no"}\n{broken\n')
        failed = told(process)
        assert (failed["file"], failed["state"]) == ("broken.ndjson", "failed")
        put(tmp_path, "strange.json", b"\x00\x01\x02" * 100)
        strange = told(process)
        assert strange["state"] == "failed"
    assert {path.name for path in (tmp_path / "done").iterdir()} == {"first.ndjson", "second.csv"}
    gone = {path.name for path in (tmp_path / "failed").iterdir()}
    assert gone >= {"broken.ndjson", "broken.ndjson.error", "broken.ndjson.rejects", "strange.json"}
    rejects = (tmp_path / "failed" / "broken.ndjson.rejects").read_bytes().splitlines()
    assert [orjson.loads(line)["_reject"]["line"] for line in rejects] == [6, 7]
    error = orjson.loads((tmp_path / "failed" / "broken.ndjson.error").read_bytes())
    assert (error["code"], error["details"]["counts"]["created"]) == ("ROWS_REJECTED", 5)
    assert len(stored(casebook, "come")) == 16
    assert process.returncode == 0


@pytest.mark.skipif(sys.platform != "linux", reason="file systems of others take no such name")
def test_a_name_that_is_no_utf_8(casebook: Casebook, tmp_path: Path) -> None:
    """It is imported as any other, and those that come after it, though no event can name it."""
    with watching(casebook, tmp_path, "--source", "odd names") as process:
        for name, shown in ((b"caf\xe9.ndjson", "caf\\xe9.ndjson"), (b"b.ndjson", "b.ndjson")):
            put(tmp_path, os.fsdecode(name), rows("odd names", 0, 3) + b"{broken\n")
            one = told(process)
            assert (one["file"], one["state"]) == (shown, "failed")
            assert one["report"]["rejects"][0]["file"] == f"{tmp_path.name}/{shown}"
            assert (tmp_path / "failed" / os.fsdecode(name + b".error")).exists()
    assert process.returncode == 0


def test_a_file_that_grows_is_taken_when_it_is_whole(casebook: Casebook, tmp_path: Path) -> None:
    """However long it is written: as long as it goes on, nothing of it is imported."""
    with (
        watching(casebook, tmp_path, "--source", "grow", settle=2.0) as process,
        (tmp_path / "grow.ndjson").open("wb") as file,
    ):
        pause = threading.Event()
        for n in range(12):
            file.write(rows("grow", n * 100, n * 100 + 100))
            file.flush()
            pause.wait(0.25)
            assert journal(tmp_path) == {}
        done = told(process)
    assert done["report"]["counts"]["created"] == 1200
    assert len(stored(casebook, "grow")) == 1200


def test_a_file_that_is_replaced_while_it_is_imported(casebook: Casebook, tmp_path: Path) -> None:
    """Both are imported, the newer one last, and only that one is put away."""
    put(tmp_path, "twice.ndjson", rows("twice", 0, MANY))
    with watching(casebook, tmp_path, "--source", "twice") as process:
        until(lambda: journal(tmp_path).get("twice.ndjson", {}).get("import_id"), "never begun")
        put(tmp_path, "twice.ndjson", rows("twice", 0, MANY, "as it is now"))
        first, second = told(process), told(process)
    assert (first["state"], second["state"]) == ("again", "done")
    found = stored(casebook, "twice")
    assert len(found) == MANY
    assert {entry["problem"] for entry in found} == {"as it is now"}
    assert [path.name for path in (tmp_path / "done").iterdir()] == ["twice.ndjson"]


def ended_within(casebook: Casebook, folder: Path, source: str, number: signal.Signals) -> str:
    """Put long.ndjson there, and end the watch while it is imported; the id of that import."""
    put(folder, "long.ndjson", rows(source, 0, MANY))
    with watching(casebook, folder, "--source", source) as process:
        until(lambda: journal(folder).get("long.ndjson", {}).get("import_id"), "never begun")
        process.send_signal(number)
        process.wait(timeout=PATIENCE)
        assert process.returncode == (0 if number == signal.SIGTERM else -signal.SIGKILL)
    return str(journal(folder)["long.ndjson"]["import_id"])


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_one_that_was_stopped_is_gone_on_with(
    casebook: Casebook, tmp_path: Path, number: signal.Signals
) -> None:
    """Killed or ended in the middle of a file, the next one goes on with the same import."""
    source = f"stop{number.name.lower()}"
    import_id = ended_within(casebook, tmp_path, source, number)
    assert (tmp_path / "long.ndjson").exists()
    done = casebook.run("watch", str(tmp_path), "--source", source, "--once", "--json")
    assert done.code == 0, done.err
    assert done.json["report"]["id"] == import_id
    assert done.json["report"]["counts"]["created"] == MANY == len(stored(casebook, source))
    assert not (tmp_path / "long.ndjson").exists()


def test_one_that_changed_while_nobody_watched(casebook: Casebook, tmp_path: Path) -> None:
    """It is imported anew; the import that was in hand is canceled, and does not seem to run."""
    import_id = ended_within(casebook, tmp_path, "anew", signal.SIGKILL)
    put(tmp_path, "long.ndjson", rows("anew", 0, 10, "as it is now"))
    done = casebook.run("watch", str(tmp_path), "--source", "anew", "--once", "--json")
    assert (done.code, done.json["report"]["counts"]["received"]) == (0, 10)
    assert done.json["report"]["id"] != import_id
    assert casebook.run("tasks", "show", import_id, "--json").json["status"] == "canceled"


def test_one_that_was_removed_while_nobody_watched(casebook: Casebook, tmp_path: Path) -> None:
    """The import that was in hand does not seem to run: it says why it stopped. It is told once."""
    import_id = ended_within(casebook, tmp_path, "removed", signal.SIGKILL)
    (tmp_path / "long.ndjson").unlink()
    once = ("watch", str(tmp_path), "--source", "removed", "--once", "--json")
    done = casebook.run(*once)
    assert (done.code, done.json["state"]) == (1, "gone")
    shown = casebook.run("imports", "show", import_id, "--json").json
    assert (shown["status"], shown["error"]["code"]) == ("open", "SOURCE_UNREADABLE")
    assert "long.ndjson was removed" in shown["error"]["message"]
    assert casebook.run("tasks", "show", import_id, "--json").json["status"] == "failed"
    assert journal(tmp_path) == {}
    assert not (tmp_path / ".long.ndjson.rejects").exists()
    assert (casebook.run(*once).code, casebook.run(*once).out) == (0, "")


def test_one_that_is_removed_while_it_is_imported(casebook: Casebook, tmp_path: Path) -> None:
    """It was open, so all of it is imported; its line says that it is gone."""
    put(tmp_path, "going.ndjson", rows("going", 0, MANY))
    with watching(casebook, tmp_path, "--source", "going") as process:
        until(lambda: journal(tmp_path).get("going.ndjson", {}).get("import_id"), "never begun")
        (tmp_path / "going.ndjson").unlink()
        gone = told(process)
    assert (gone["state"], gone["report"]["status"]) == ("gone", "finished")
    assert len(stored(casebook, "going")) == MANY


def test_one_that_is_gone_on_with_under_another_source(casebook: Casebook, tmp_path: Path) -> None:
    """It is another import: nothing more is stored under the source of before."""
    import_id = ended_within(casebook, tmp_path, "before", signal.SIGKILL)
    done = casebook.run("watch", str(tmp_path), "--source", "after", "--once", "--json")
    assert (done.code, done.json["report"]["source"]) == (0, "after")
    assert len(stored(casebook, "after")) == MANY
    assert casebook.run("tasks", "show", import_id, "--json").json["status"] == "canceled"


def test_a_relative_link_is_imported_once(casebook: Casebook, tmp_path: Path) -> None:
    """And put away as a link; its line says what became of every row."""
    folder = tmp_path / "in"
    folder.mkdir()
    put(tmp_path, "elsewhere.ndjson", rows("link", 0, 3))
    (folder / "link.ndjson").symlink_to("../elsewhere.ndjson")
    once = ("watch", str(folder), "--source", "link", "--once", "--settle", "0.1")
    for created in (3, 0):
        done = casebook.run(*once)
        line = f"link.ndjson 3 received = {created} created + 0 updated + {3 - created} unchanged"
        assert (done.code, line in done.out) == (0, True), done.out
        assert not (folder / "link.ndjson").is_symlink()
        (folder / "link.ndjson").symlink_to("../elsewhere.ndjson")
    assert (folder / "done" / "link.ndjson").is_symlink()


def test_killed_between_import_and_move(casebook: Casebook, tmp_path: Path) -> None:
    """The import was finished and the file is still there: it is only put away."""
    put(tmp_path, "late.ndjson", rows("late", 0, 20))
    keeping = ("watch", str(tmp_path), "--source", "late", "--once", "--json", "--settle", "0.1")
    first = casebook.run(*keeping, "--keep")
    assert first.json["report"]["counts"]["created"] == 20
    place = tmp_path / ".casebook.json"
    taken = journal(tmp_path)["late.ndjson"] | {"state": "taken"}
    place.write_bytes(orjson.dumps({"late.ndjson": taken}))
    second = casebook.run(*keeping)
    assert second.json["report"]["id"] == first.json["report"]["id"]
    assert [path.name for path in (tmp_path / "done").iterdir()] == ["late.ndjson"]


def states(out: str) -> list[tuple[str, str]]:
    """Each file's name and state, as its lines with `--json` have them."""
    return [(one["file"], one["state"]) for one in map(orjson.loads, out.splitlines())]


def imports_of(casebook: Casebook, source: str) -> int:
    """How many there were."""
    page = casebook.run("imports", "list", "--source", source, "--json").json
    return len(page["imports"])


def test_odd_files_do_not_end_it(casebook: Casebook, tmp_path: Path) -> None:
    """Links in a circle, through a file, to what no name can be, to nothing: each is told once, and
    what is mended is imported."""
    (tmp_path / "file").touch()
    odd = {"a": "a.ndjson", "b": "file/no", "c": "n" * 300, "d": "nothing"}
    for name, leads_to in odd.items():
        (tmp_path / f"{name}.ndjson").symlink_to(leads_to)
    put(tmp_path, "z.ndjson", rows("odd", 0, 3))
    with watching(casebook, tmp_path, "--source", "odd") as process:
        for name in odd:
            one = told(process)
            assert (one["file"], one["state"]) == (f"{name}.ndjson", "again")
            assert one["error"]["code"] == "SOURCE_UNREADABLE"
        assert told(process)["file"] == "z.ndjson"
        (tmp_path / "y.ndjson").symlink_to("y.ndjson")
        assert told(process)["file"] == "y.ndjson"
        put(tmp_path, "a.ndjson", rows("odd", 3, 5))
        mended = told(process)
    assert (mended["file"], mended["state"]) == ("a.ndjson", "done")
    assert (process.returncode, len(stored(casebook, "odd"))) == (0, 5)


@pytest.mark.parametrize(
    "name",
    ["n" * 248 + ".ndjson", "ä" * 124 + ".ndjson", os.fsdecode(b"\xe9" * 245 + b".ndjson.gz")],
    ids=["ascii", "utf-8", "neither"],
)
def test_names_may_be_as_long_as_they_can(casebook: Casebook, tmp_path: Path, name: str) -> None:
    """What failed lies under its name as far as there is room for it, and is known by its end."""
    source = f"long names {len(name)}"
    for n in range(2):
        (tmp_path / name).write_bytes(rows(source, n, n + 1) + b"{broken\n")
        done = casebook.run("watch", str(tmp_path), "--source", source, "--once", "--json")
        assert (done.code, done.json["state"]) == (1, "failed"), done.err
    put_away = sorted(path.name for path in (tmp_path / "failed").iterdir())
    assert len(put_away) == 6
    files = [one for one in put_away if not one.endswith((".error", ".rejects"))]
    for file in files:
        assert file.removeprefix("2.")[:20] == name[:20]
        assert file.endswith("".join(Path(name).suffixes))
        assert {f"{file}.error", f"{file}.rejects"} < set(put_away)
    assert (tmp_path / ".casebook.json").read_bytes() == b"{}"
    assert len(stored(casebook, source)) == 2


def test_where_files_go_may_be_another_disk(casebook: Casebook, tmp_path: Path) -> None:
    """They are copied there, and only then removed: each is imported once."""
    memory = Path("/dev/shm")  # a folder of our own in it
    if not memory.is_dir() or memory.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no other disk")
    with tempfile.TemporaryDirectory(dir=memory) as place:
        for folder in ("done", "failed"):
            (Path(place) / folder).mkdir()
            (tmp_path / folder).symlink_to(Path(place) / folder)
        put(tmp_path, "good.ndjson", rows("disk", 0, 3))
        put(tmp_path, "bad.ndjson", rows("disk", 3, 5) + b"{broken\n")
        once = ("watch", str(tmp_path), "--source", "disk", "--once", "--json")
        done = casebook.run(*once)
        assert states(done.out) == [("bad.ndjson", "failed"), ("good.ndjson", "done")], done.err
        again = casebook.run(*once)
        assert (again.code, again.out) == (0, "")
        assert imports_of(casebook, "disk") == 2
        found = {str(path.relative_to(place)) for path in Path(place).glob("*/*")}
        beside = {f"failed/bad.ndjson{end}" for end in ("", ".error", ".rejects")}
        assert found == {"done/good.ndjson"} | beside
        assert (Path(place) / "done" / "good.ndjson").read_bytes() == rows("disk", 0, 3)
    assert {path.name for path in tmp_path.iterdir() if path.is_file()} == {
        ".casebook.json",
        ".casebook.lock",
    }


def test_what_cannot_be_put_away_is_imported_once(casebook: Casebook, tmp_path: Path) -> None:
    """It stays and says why, at each start; the others are imported; it goes when it can."""
    (tmp_path / "done").write_text("no folder")
    once = ("watch", str(tmp_path), "--source", "stuck", "--once", "--json")
    put(tmp_path, "good.ndjson", rows("stuck", 0, 3))
    put(tmp_path, "bad.ndjson", b"{broken\n")
    first = casebook.run(*once)
    assert states(first.out) == [
        ("bad.ndjson", "failed"),
        ("good.ndjson", "done"),
        ("good.ndjson", "stuck"),
    ], first.err
    second = casebook.run(*once)
    assert (second.code, states(second.out)) == (1, [("good.ndjson", "stuck")])
    assert second.json["error"]["code"] == "NOT_PUT_AWAY"
    assert imports_of(casebook, "stuck") == 2
    (tmp_path / "done").unlink()
    third = casebook.run(*once)
    assert (third.code, third.out, journal(tmp_path)) == (0, "", {})
    assert (tmp_path / "done" / "good.ndjson").exists()


def test_what_could_not_be_put_away_and_changes_is_imported(
    casebook: Casebook, tmp_path: Path
) -> None:
    """As any file that changes."""
    (tmp_path / "failed").write_text("no folder")
    once = ("watch", str(tmp_path), "--source", "mended", "--once", "--json")
    put(tmp_path, "bad.ndjson", b"{broken\n")
    assert states(casebook.run(*once).out) == [("bad.ndjson", "failed"), ("bad.ndjson", "stuck")]
    put(tmp_path, "bad.ndjson", rows("mended", 0, 2))
    done = casebook.run(*once)
    told = states(done.out)
    assert told[-1] == ("bad.ndjson", "done"), told
    assert sorted(path.name for path in (tmp_path / "done").iterdir()) == ["bad.ndjson"]
    assert (casebook.run(*once).out, len(stored(casebook, "mended"))) == ("", 2)


def elsewhere(redis_url: str) -> dict[str, str]:
    """A client's settings that reach Redis there; PostgreSQL is nothing that it would ask."""
    return {"CASEBOOK_REDIS_URL": redis_url, "CASEBOOK_DATABASE_URL": "postgresql://nowhere/none"}


def test_once_while_servers_are_away(
    casebook: Casebook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The files stay, and it ends with 3: nobody has to look after them. One who has: 1."""

    async def away(*_: Any) -> None:
        raise DatabaseUnavailable

    monkeypatch.setattr("pipelines.watching.import_streams", away)
    put(tmp_path, "good.ndjson", rows("away", 0, 5))
    once = ("watch", str(tmp_path), "--once", "--json", "--settle", "0.1")
    away_now = casebook.run(*once)
    assert (away_now.code, states(away_now.out)) == (3, [("good.ndjson", "again")]), away_now.err
    (tmp_path / "loop.ndjson").symlink_to("loop.ndjson")
    assert casebook.run(*once).code == 1
    unreachable = casebook.run(*once, **elsewhere("redis://127.0.0.1:1"))
    assert (unreachable.code, unreachable.out) == (3, "")


def test_it_starts_while_redis_is_away(casebook: Casebook, tmp_path: Path) -> None:
    """It says so and waits, as it does when Redis goes away later; so does a saved mapping."""
    saved = casebook.run("mappings", "save", "waits", "--map", "problem=text")
    assert saved.code == 0, saved.err
    put(tmp_path, "good.ndjson", b'{"title": "it waits", "text": "for Redis"}\n')
    with Proxy(EmbeddedValkey(casebook.data).url) as proxy:
        proxy.down()
        options = ("--source", "waits", "--mapping", "waits")
        with watching(casebook, tmp_path, *options, **elsewhere(proxy.url)) as process:
            assert process.stderr is not None
            waits = orjson.loads(process.stderr.readline())["waits"]
            assert waits["code"] == "QUEUE_UNAVAILABLE"
            assert "Redis is away" in waits["message"]
            proxy.up()
            assert told(process)["state"] == "done"
    assert stored(casebook, "waits")[0]["problem"] == "for Redis"


def test_once_for_cron(casebook: Casebook, tmp_path: Path) -> None:
    """It imports what is there and ends: 0, 1 when a file failed; kept files are not done twice."""
    once = ("watch", str(tmp_path), "--source", "cron", "--once", "--json", "--settle", "0.1")
    assert casebook.run(*once).code == 0
    put(tmp_path, "good.ndjson", rows("cron", 0, 5))
    assert casebook.run(*once, "--keep").json["state"] == "done"
    again = casebook.run(*once, "--keep")
    assert (again.code, again.out) == (0, "")
    put(tmp_path, "bad.ndjson", b'{"title": "no"}\n')
    assert casebook.run(*once, "--keep").code == 1
    assert (tmp_path / "bad.ndjson").exists()
    assert (tmp_path / "failed" / "bad.ndjson.rejects").exists()
    (tmp_path / "loop.ndjson").symlink_to("loop.ndjson")
    unread = casebook.run(*once, "--keep")
    assert (unread.code, states(unread.out)) == (1, [("loop.ndjson", "again")])
    put(tmp_path, "more.ndjson", b"")
    with watching(casebook, tmp_path) as process:
        assert told(process)["file"] == "loop.ndjson"
        assert told(process)["file"] == "more.ndjson"
        refused = casebook.run(*once)
    assert (refused.code, "FOLDER_WATCHED" in refused.err) == (2, True)
