"""Imports whose source ends before its end: what has not been read is not taken for gone."""

import gzip
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import orjson
import pytest

from tests.acceptance.test_import_modes import listed, post
from tests.acceptance.test_queues import until
from tests.support.casebook import Casebook
from tests.support.waiting import SOON

NAMES = [f"r{n:04}" for n in range(1200)]  # three chunks


def rows(names: list[str], text: str = "as it was") -> list[dict[str, Any]]:
    """Rows about these external ids."""
    problem = "more than is looked at to find out what it is " * 3
    return [
        {"external_id": name, "title": f"row {name} {text}", "problem": problem} for name in names
    ]


def ndjson(names: list[str], text: str = "as it was") -> bytes:
    """The same, a line each."""
    return b"".join(orjson.dumps(row) + b"\n" for row in rows(names, text))


def array(names: list[str], text: str = "as it was") -> bytes:
    """The same in brackets."""
    return orjson.dumps(rows(names, text))


def task_of(http: httpx.Client, import_id: str) -> Any:
    """An import's task."""
    return http.get(f"/v1/tasks/{import_id}").json()


@pytest.mark.parametrize(("extension", "write"), [("ndjson.gz", ndjson), ("json", array)])
def test_a_replace_needs_its_whole_source(
    casebook: Casebook,
    http: httpx.Client,
    tmp_path: Path,
    extension: str,
    write: Callable[[list[str], str], bytes],
) -> None:
    """One that was cut changes nothing, in a dry run too; the whole file goes on with it."""
    source, file = f"cut {extension}", tmp_path / f"rows.{extension}"
    assert casebook.run("import", "-", "--source", source, stdin=ndjson(NAMES)).code == 0
    whole = write(NAMES[:-1], "mended")
    whole = gzip.compress(whole) if extension.endswith("gz") else whole
    file.write_bytes(whole[: len(whole) * 9 // 10])
    replace = ("import", str(file), "--source", source, "--mode", "replace")
    dry = casebook.run(*replace, "--dry-run")
    assert (dry.code, "SOURCE_CUT_SHORT" in dry.err) == (2, True), dry.out
    stopped = casebook.run(*replace)
    assert (stopped.code, "SOURCE_CUT_SHORT" in stopped.err) == (2, True), stopped.out
    assert len(listed(http, source)) == 500, "a page is full"
    import_id = next(line for line in stopped.err.splitlines() if "--resume" in line).split()[3]
    task = task_of(http, import_id)
    assert (task["status"], task["error"]["code"]) == ("failed", "SOURCE_CUT_SHORT")
    again = casebook.run("import", str(file), "--resume", import_id)
    assert (again.code, "SOURCE_CUT_SHORT" in again.err) == (2, True), "its mode is what it was"
    shown = casebook.run("imports", "show", import_id)
    assert "can't be read any further" in shown.out
    file.write_bytes(whole)
    done = casebook.run("import", str(file), "--resume", import_id, "--json")
    assert done.code == 0, done.err
    assert (done.json["counts"]["updated"], done.json["archived"]) == (len(NAMES) - 1, 1)
    assert task_of(http, import_id)["status"] == "succeeded"


@pytest.mark.parametrize("mode", ["upsert", "replace"])
def test_a_sender_who_goes_away_finishes_nothing(http: httpx.Client, mode: str) -> None:
    """Nobody is there to hear of it: the import stays open, says why, and goes on when resumed."""
    source = f"gone_{mode}"
    assert post(http, ndjson(NAMES), source=source).status_code == 201
    body = ndjson(NAMES, "mended")
    _send_and_go(http, f"/v1/imports?source={source}&mode={mode}", body, len(body) * 9 // 10)
    import_id = _stopped_import(http, source)
    task = task_of(http, import_id)
    assert (task["error"]["code"], task["done"]) == ("SOURCE_CUT_SHORT", 1000)
    report = http.get(f"/v1/imports/{import_id}").json()
    assert (report["status"], report["counts"]["rejected"]) == ("open", 0)
    assert report["error"]["code"] == "SOURCE_CUT_SHORT"
    done = post(http, body, source=source, mode=mode, resume=UUID(import_id))
    assert done.status_code == 201, done.text
    counts = done.json()["counts"]
    assert (counts["updated"], counts["rejected"], done.json()["archived"]) == (len(NAMES), 0, 0)


@pytest.mark.parametrize("mode", ["upsert", "replace"])
def test_going_on_with_less_than_was_stored_ends_nothing(
    casebook: Casebook, http: httpx.Client, tmp_path: Path, mode: str
) -> None:
    """It is said, in both ways in; the whole of it goes on."""
    source, file = f"less {mode}", tmp_path / "rows.ndjson"
    assert casebook.run("import", "-", "--source", source, stdin=ndjson(NAMES)).code == 0
    before = http.get("/v1/entries", params={"source": source, "limit": 500}).json()
    whole = ndjson(NAMES, "mended") + b"{}\n"
    file.write_bytes(whole)
    begun = casebook.run(
        *("import", str(file), "--source", source, "--mode", mode, "--max-rejects", "0", "--json")
    )
    assert begun.code == 1, begun.err
    import_id = begun.json["id"]
    less = b"".join(whole.splitlines(keepends=True)[:500])
    file.write_bytes(less)
    refused = casebook.run("import", str(file), "--resume", import_id, "--max-removed", "100")
    assert (refused.code, "CHUNK_CHANGED" in refused.err) == (2, True), refused.out
    assert "not all of what the import was begun with" in refused.err
    assert f"casebook import --resume {import_id}" in refused.err
    answer = post(http, less, resume=UUID(import_id), max_removed=100, name=str(file))
    assert (answer.status_code, answer.json()["code"]) == (409, "CHUNK_CHANGED")
    report = http.get(f"/v1/imports/{import_id}").json()
    assert (report["status"], report["error"]["code"]) == ("open", "CHUNK_CHANGED")
    if mode == "replace":
        assert http.get("/v1/entries", params={"source": source, "limit": 500}).json() == before
    file.write_bytes(whole)
    done = casebook.run("import", str(file), "--resume", import_id, "--json")
    assert (done.json["status"], done.json["archived"]) == ("finished", 0)
    assert (done.json["counts"]["updated"], done.json["counts"]["rejected"]) == (len(NAMES), 1)


def test_going_on_without_a_file_is_refused(
    casebook: Casebook, http: httpx.Client, tmp_path: Path
) -> None:
    """Also where nothing of it was stored: a replace would archive what stands in it."""
    first, second = tmp_path / "1.ndjson", tmp_path / "2.ndjson"
    first.write_bytes(ndjson(NAMES[:1100]))
    second.write_bytes(ndjson(NAMES[1100:]))
    both = (str(first), str(second), "--source", "without")
    assert casebook.run("import", *both).code == 0
    first.write_bytes(ndjson(NAMES[:1100], "mended"))
    second.write_bytes(b"{}\n" + ndjson(NAMES[1100:], "mended"))
    replace = ("import", *both, "--mode", "replace", "--max-rejects", "0", "--json")
    import_id = casebook.run(*replace).json["id"]
    refused = casebook.run("import", str(first), "--resume", import_id)
    assert (refused.code, "IMPORT_OTHERWISE" in refused.err) == (2, True), refused.out
    assert f"without {second}" in refused.err.replace("\n", "")
    answer = post(http, first.read_bytes(), resume=UUID(import_id), name=str(first))
    assert (answer.status_code, answer.json()["code"]) == (409, "IMPORT_OTHERWISE")
    assert http.get(f"/v1/imports/{import_id}").json()["status"] == "open"
    done = casebook.run("import", *both, "--resume", import_id, "--json")
    assert (done.json["counts"]["updated"], done.json["archived"]) == (len(NAMES), 0)


def test_what_is_nothing_we_read_fails_and_is_not_to_be_resumed(
    casebook: Casebook, http: httpx.Client, tmp_path: Path
) -> None:
    """The same file would end in the same way."""
    file = tmp_path / "documents.dump"
    file.write_bytes(b"\0\1\2\3" * 100)
    done = casebook.run("import", str(file), "--source", "binary")
    assert (done.code, "UNSUPPORTED_FORMAT" in done.err) == (2, True)
    assert "--resume" not in done.err
    task = next(
        task
        for task in http.get("/v1/tasks", params={"type": "import"}).json()["tasks"]
        if task["details"]["source"] == "binary"
    )
    assert (task["status"], task["error"]["code"]) == ("failed", "UNSUPPORTED_FORMAT")


def test_a_mapped_row_that_is_rejected_keeps_its_entry(
    casebook: Casebook, http: httpx.Client, tmp_path: Path
) -> None:
    """In a replace: the client can't map the row, but knows which one it is."""
    file = tmp_path / "mapped.ndjson"
    names = ["a", "b", "c"]
    found = [{"id": name, "title": f"row {name}", "text": "some"} for name in names]
    options = ("--source", "mapped", "--map", "problem=text", "--mode", "replace")
    file.write_bytes(b"\n".join(map(orjson.dumps, found)))
    assert casebook.run("import", str(file), *options).code == 0
    found[1]["text"] = {"no": "text"}  # type: ignore[assignment]
    file.write_bytes(b"\n".join(map(orjson.dumps, found[:2])))
    done = casebook.run("import", str(file), *options, "--max-removed", "50", "--json")
    assert (done.code, done.json["archived"]) == (1, 1)
    assert listed(http, "mapped") == {"a", "b"}


def _send_and_go(http: httpx.Client, path: str, body: bytes, sent: int) -> None:
    """Begin a request with this body, and close the connection after `sent` bytes of it."""
    host, port = http.base_url.host, http.base_url.port
    assert port is not None
    head = [f"POST {path} HTTP/1.1", f"Host: {host}", f"Content-Length: {len(body)}"]
    head += [f"{name}: {http.headers[name]}" for name in ("authorization",) if name in http.headers]
    with socket.create_connection((host, port), timeout=SOON) as connection:
        connection.sendall("\r\n".join([*head, "", ""]).encode() + body[:sent])


def _stopped_import(http: httpx.Client, source: str) -> str:
    """The source's import whose task has failed."""

    def look() -> list[str]:
        page = http.get("/v1/tasks", params={"type": "import", "status": "failed"}).json()
        return [task["id"] for task in page["tasks"] if task["details"]["source"] == source]

    (import_id,) = until(look, bool)
    return str(import_id)
