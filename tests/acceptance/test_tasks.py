"""Long operations as an operator meets them, on the command line and over HTTP."""

import os
import pty
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import orjson
import pytest

from tests.support.casebook import Casebook
from tests.support.dying import until
from tests.support.waiting import SOON

NOBODY = "01900000-0000-7000-8000-000000000000"


def importing(casebook: Casebook, file: str) -> "subprocess.Popen[bytes]":
    """An import of rows that this test writes to its standard input or a pipe."""
    return subprocess.Popen(
        [sys.executable, "-m", "cli", "import", file, "--format", "ndjson", "--source", "tasks"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=casebook.environment,
    )


def rows(word: str, first: int, count: int) -> bytes:
    """Rows of an import, as NDJSON."""
    return b"".join(
        orjson.dumps({"external_id": f"{word}-{n}", "title": f"row {n} of {word}"}) + b"\n"
        for n in range(first, first + count)
    )


def newest(http: httpx.Client, kind: str, status: str) -> dict[str, Any]:
    """The newest task of a kind, as soon as there is one in that state with something done."""

    def found() -> Any:
        query = {"type": kind, "status": status, "limit": 1}
        tasks = http.get("/v1/tasks", params=query).raise_for_status().json()["tasks"]
        return tasks[0] if tasks and tasks[0]["done"] else None

    task: dict[str, Any] = until(found)
    return task


def test_a_reindex_is_followed(casebook: Casebook, http: httpx.Client) -> None:
    """Its steps and their results are shown; the same over HTTP, and once for one key."""
    started = casebook.run("reindex", "--no-wait", "--json").json["task"]
    done = casebook.run("tasks", "show", started, "--follow", COLUMNS="80")
    assert done.code == 0, done.err
    assert "reindex succeeded" in done.err
    assert "rebuild: succeeded, 1 of 1 done" in done.out
    assert "verify: succeeded, 1 of 1 done" in done.out
    assert "agrees true" in done.out
    task = http.get(f"/v1/tasks/{started}").json()
    assert [step["name"] for step in task["steps"]] == ["rebuild", "verify"]
    assert task["result"]["agrees"] is True
    key = {"Idempotency-Key": uuid4().hex}
    twice = [http.post("/v1/index/rebuild", headers=key) for _ in range(2)]
    assert [answer.status_code for answer in twice] == [202, 202]
    assert twice[0].json() == twice[1].json()
    ended = until(
        lambda: http.get(f"/v1/tasks/{twice[0].json()['task']}").json()["status"] == "succeeded"
    )
    assert ended
    again = casebook.run("tasks", "cancel", started)
    assert (again.code, "TASK_STATE" in again.err) == (1, True)


def test_an_import_is_canceled_in_the_middle_and_gone_on_with(
    casebook: Casebook, http: httpx.Client
) -> None:
    """Its client says what is kept and how to go on; then everything is stored, and searchable."""
    word = f"w{uuid4().hex}"
    process = importing(casebook, "-")
    assert process.stdin is not None
    process.stdin.write(rows(word, 0, 1_200))
    process.stdin.flush()
    task = newest(http, "import", "processing")
    assert task["total"] is None
    canceled = casebook.run("tasks", "cancel", task["id"])
    assert (canceled.code, "import canceled" in canceled.out) == (0, True)
    assert f"casebook import --resume {task['id']} FILES" in canceled.out
    _, said = process.communicate(rows(word, 1_200, 800), timeout=60)
    assert process.returncode == 2
    assert b"IMPORT_CANCELED" in said
    kept = re.search(rb"(\d[\d,]*) rows were read and are kept", said)
    assert kept is not None, said
    assert 0 < int(kept[1].replace(b",", b"")) < 2_000
    assert f"casebook import --resume {task['id']} FILES".encode() in said

    arguments = ("-", "--format", "ndjson", "--source", "tasks", "--resume", task["id"], "--json")
    done = casebook.run("import", *arguments, stdin=rows(word, 0, 2_000))
    assert done.code == 0, done.err
    assert done.json["counts"]["received"] == 2_000
    task = http.get(f"/v1/tasks/{task['id']}").json()
    assert (task["status"], task["done"], task["searchable"]) == ("succeeded", 2_000, True)
    assert task["position"]
    hits = casebook.run("search", "--json", word).json
    assert hits["total"] == 2_000


def test_an_import_is_gone_on_with_as_it_was_begun(casebook: Casebook, http: httpx.Client) -> None:
    """Options that say otherwise are refused, and named; what is not said is as it was."""
    word = f"w{uuid4().hex}"
    body, arguments = rows(word, 0, 3), ("import", "-", "--format", "ndjson")
    begun = ("--source", word, "--duplicates", "keep", "--json")
    import_id = casebook.run(*arguments, *begun, stdin=body).json["id"]
    resumed = (*arguments, "--resume", import_id)
    otherwise = {"source": "other", "mode": "create", "duplicates": "auto"}
    was = {"source": word, "mode": "upsert", "duplicates": "keep"}
    for name, value in otherwise.items():
        refused = casebook.run(*resumed, f"--{name}", value, stdin=body)
        assert (refused.code, "IMPORT_OTHERWISE" in refused.err) == (2, True)
        assert f"begun with {name} {was[name]}: leave out" in refused.err
        query = {"resume": import_id, name: value}
        answer = http.post("/v1/imports", params=query, content=body)
        assert (answer.status_code, answer.json()["code"]) == (409, "IMPORT_OTHERWISE")
    assert http.get(f"/v1/imports/{import_id}").json()["duplicates"] == "keep"
    for options in ((), (*begun, "--mode", "upsert")):
        assert casebook.run(*resumed, *options, stdin=body).code == 0


def test_an_import_that_was_taken_back_is_not_gone_on_with(
    casebook: Casebook, http: httpx.Client
) -> None:
    """Finished or open, it says who took it back, everywhere; nobody is told to resume it."""
    word = f"w{uuid4().hex}"
    body, arguments = rows(word, 0, 3), ("import", "-", "--format", "ndjson", "--source", word)
    done = casebook.run(*arguments, "--json", stdin=body).json["id"]
    process = importing(casebook, "-")
    assert process.stdin is not None
    process.stdin.write(rows(word, 0, 1_200))
    process.stdin.flush()
    still = newest(http, "import", "processing")["id"]
    for import_id in (done, still):
        undo = casebook.run("imports", "undo", import_id, "--yes", "--json").json["id"]
        again = casebook.run(*arguments, "--resume", import_id, stdin=body)
        assert (again.code, "IMPORT_UNDONE" in again.err, undo in again.err) == (2, True, True)
        assert "--resume" not in again.err
        query = {"source": word, "resume": import_id}
        refused = http.post("/v1/imports", params=query, content=body)
        assert (refused.status_code, refused.json()["code"]) == (409, "IMPORT_UNDONE")
        report = http.get(f"/v1/imports/{import_id}").json()
        assert (report["status"], report["undone_by"]) == ("undone", undo)
        for shown in (("imports", "show"), ("tasks", "show")):
            out = casebook.run(*shown, import_id).out
            assert f"taken back: casebook tasks show {undo}" in out
            assert "--resume" not in out
        assert casebook.run("tasks", "resume", import_id).code == 1
    _, said = process.communicate(rows(word, 1_200, 800), timeout=60)
    assert (process.returncode, b"IMPORT_UNDONE" in said) == (2, True)
    assert b"--resume" not in said


def test_an_import_that_is_interrupted_says_how_to_go_on(
    casebook: Casebook, http: httpx.Client
) -> None:
    """Ctrl-C ends the client; what it has stored is counted and kept."""
    word = f"w{uuid4().hex}"
    process = importing(casebook, "-")
    assert process.stdin is not None
    process.stdin.write(rows(word, 0, 1_200))
    process.stdin.flush()
    task = newest(http, "import", "processing")
    going_on = f"where nobody sends it any more: casebook import --resume {task['id']} FILES"
    for shown in (("imports", "show"), ("tasks", "show")):
        assert going_on in casebook.run(*shown, task["id"]).out
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=60)[1].decode()
    assert process.returncode == 130, said
    assert "Traceback" not in said
    assert f"casebook import --resume {task['id']} FILES" in said
    casebook.run("tasks", "cancel", task["id"])


def test_ctrl_c_ends_the_watching_and_not_the_task(casebook: Casebook, http: httpx.Client) -> None:
    """On a terminal it says that the task goes on, how to watch it again and how to stop it."""
    # No worker reads that node's queue: the task waits.
    task = http.post("/v1/index/rebuild", params={"node": "nobody"}).json()["task"]
    terminal, other = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "cli", "tasks", "show", "--follow", task],
        stdin=other,
        stdout=other,
        stderr=other,
        env=casebook.environment | {"COLUMNS": "80", "TERM": "xterm"},
        start_new_session=True,
    )
    os.close(other)
    seen = b""
    while b"reindex" not in seen:
        seen += os.read(terminal, 4096)
    process.send_signal(signal.SIGINT)
    try:
        while block := os.read(terminal, 4096):
            seen += block
    except OSError:
        pass  # Linux says that the other end was closed
    os.close(terminal)
    assert process.wait(SOON) == 130
    assert b"It goes on without you" in seen
    assert f"casebook tasks show --follow {task}".encode() in seen
    assert f"casebook tasks cancel {task}".encode() in seen
    assert b"Traceback" not in seen
    assert http.get(f"/v1/tasks/{task}").json()["status"] == "enqueued"
    shown = casebook.run("tasks", "show", task).out
    assert f"casebook tasks cancel {task}" in shown
    assert casebook.run("tasks", "cancel", task).code == 0
    shown = casebook.run("tasks", "show", task)
    assert (shown.code, f"casebook tasks resume {task}" in shown.out) == (1, True)
    assert http.post(f"/v1/tasks/{task}/resume").json()["status"] == "processing"
    assert http.post(f"/v1/tasks/{task}/cancel").json()["status"] == "canceled"


def test_tasks_are_listed_page_by_page(casebook: Casebook, http: httpx.Client) -> None:
    """The newest first, narrowed by type and status, each id whole on 80 columns."""
    for _ in range(2):
        casebook.run("import", "-", "--format", "ndjson", stdin=b'{"title": "a listed row"}\n')
    first = casebook.run("tasks", "--type", "import", "--limit", "1", "--json").json
    (one,) = first["tasks"]
    cursor = ("--limit", "1", "--cursor", first["next_cursor"])
    (two,) = casebook.run("tasks", "--type", "import", *cursor, "--json").json["tasks"]
    assert one["id"] > two["id"]
    shown = casebook.run("tasks", "--status", "succeeded", COLUMNS="80").out
    assert one["id"] in shown
    assert max(len(line) for line in shown.splitlines()) <= 80
    assert casebook.run("tasks", "--until", "520w").out == "no such tasks.\n"
    over_http = http.get("/v1/tasks", params={"type": "import", "limit": 1}).json()
    assert over_http["tasks"][0]["id"] == one["id"]


def test_imports_are_told_apart(casebook: Casebook, http: httpx.Client, tmp_path: Path) -> None:
    """By file, source and counts: among the tasks, in a list of their own, and over HTTP."""
    file = tmp_path / "told.ndjson"
    file.write_bytes(b'{"title": "told apart", "external_id": 1}\n{"title": "no"}\n')
    ids = [
        casebook.run("import", str(file), "--source", "apart", "--json").json["id"]
        for _ in range(2)
    ]
    line = "told.ndjson of apart: 1 created, 0 updated, 0 unchanged, 1 rejected"
    assert line in casebook.run("tasks", "--type", "import", "--limit", "2").out
    assert line in casebook.run("tasks", "show", ids[0]).out
    counts = {"received": 2, "created": 1, "updated": 0, "unchanged": 0, "rejected": 1}
    assert http.get(f"/v1/tasks/{ids[0]}").json()["result"] == counts
    mine = ("imports", "list", "--source", "apart")
    shown = casebook.run(*mine).out
    assert shown.index(ids[1]) < shown.index(ids[0]) and line in shown
    first = casebook.run(*mine, "--limit", "1", "--json").json
    assert [one["id"] for one in first["imports"]] == ids[1:]
    assert "more: --cursor" in casebook.run(*mine, "--limit", "1").out
    asked = {"source": "apart", "status": "finished", "cursor": first["next_cursor"]}
    (other,) = http.get("/v1/imports", params=asked).json()["imports"]
    assert (other["id"], other["counts"], other["rejects"]) == (ids[0], counts, [])
    assert casebook.run(*mine, "--status", "open").out == "no such imports.\n"
    assert http.get("/v1/imports", params={"status": "half"}).status_code == 422


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("show", NOBODY), 1, "TASK_NOT_FOUND"),
        (("cancel", NOBODY), 1, "TASK_NOT_FOUND"),
        (("resume", NOBODY), 1, "TASK_NOT_FOUND"),
        (("show", "x"), 2, "not a valid UUID"),
        (("--since", "yesterdayish"), 2, "90s, 15m, 2h, 3d"),
        (("--limit", "0"), 2, "0 is not in the range"),
        (("--cursor", "2026-01-01T00:00:00+00:00/" + NOBODY), 2, "not a valid UUID"),
        (("--type", "x" * 51), 1, "type"),
    ],
)
def test_what_makes_no_sense_is_said_so(
    casebook: Casebook, arguments: tuple[str, ...], code: int, said: str
) -> None:
    """The exit code and one line, never a traceback."""
    done = casebook.run("tasks", *arguments)
    assert (done.code, said in done.err) == (code, True), done.err
    assert "Traceback" not in done.err


def test_http_refuses_what_makes_no_sense(http: httpx.Client) -> None:
    """As an error of the request, never as one of the server."""
    for place in ("type=a%00b", "since=yesterdayish", "limit=0", "cursor=x", "status=lost"):
        assert http.get(f"/v1/tasks?{place}").status_code == 422, place
    for name in ("show", "cancel", "resume"):
        place = f"/v1/tasks/{NOBODY}" + ("" if name == "show" else f"/{name}")
        answer = http.get(place) if name == "show" else http.post(place)
        assert (answer.status_code, answer.json()["code"]) == (404, "TASK_NOT_FOUND")
    for node in ("%00", "", "x" * 101):
        assert http.post(f"/v1/index/rebuild?node={node}").status_code == 422


def test_the_list_is_followed(casebook: Casebook) -> None:
    """A task that begins and ends while someone watches is shown as it changes."""
    watching = subprocess.Popen(
        [sys.executable, "-m", "cli", "tasks", "--follow", "--json", "--type", "reindex"],
        stdout=subprocess.PIPE,
        env=casebook.environment,
    )
    assert watching.stdout is not None
    done = casebook.run("reindex", "--no-wait", "--json")
    task = done.json["task"]
    try:
        while (seen := orjson.loads(watching.stdout.readline()))["id"] != task or seen[
            "status"
        ] != "succeeded":
            pass
    finally:
        watching.send_signal(signal.SIGINT)
        watching.stdout.close()
        assert watching.wait(SOON) == 0
