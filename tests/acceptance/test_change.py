"""Many entries named by a file, through the CLI and over HTTP."""

from pathlib import Path

import httpx

from contracts.base import new_id
from tests.support.casebook import Casebook


def test_ids_that_no_entry_has_are_named(
    casebook: Casebook, http: httpx.Client, tmp_path: Path
) -> None:
    """Before it begins, by the task and over HTTP; a file of nothing else doesn't end silently."""
    rows = b'{"external_id": "a", "title": "row a"}\n{"external_id": "b", "title": "row b"}\n'
    assert casebook.run("import", "-", "--source", "named", stdin=rows).code == 0
    listed = http.get("/v1/entries", params={"source": "named"}).json()["entries"]
    nobody, file = str(new_id()), tmp_path / "ids.txt"
    file.write_text("\n".join([nobody, *(entry["id"] for entry in listed)]), "utf-8-sig")
    change = ("change", "archive", "--file", str(file), "--yes")
    dry = casebook.run(*change, "--dry-run")
    assert "2 entries. No entry has 1 of the ids." in dry.out
    assert f"no entry {nobody}" in dry.err
    assert casebook.run(*change, "--dry-run", "--json").json == {
        "count": 2,
        "missing": [nobody],
        "archived": [],
    }
    done = casebook.run(*change)
    assert (done.code, f"skipped {nobody} No entry has this id." in done.out) == (0, True)
    update = {"action": "update", "changes": {"category": "X"}, "ids": [listed[0]["id"]]}
    counted = http.post("/v1/entries/change", params={"dry_run": True}, json=update).json()
    assert (counted["count"], counted["archived"]) == (0, [listed[0]["id"]])
    skipped = casebook.run("change", "update", listed[0]["id"], "--set", "category=X", "--yes")
    assert (skipped.code, f"archived {listed[0]['id']}" in skipped.err) == (1, True)
    restore = {"action": "restore", "ids": [listed[0]["id"], nobody]}
    counted = http.post("/v1/entries/change", params={"dry_run": True}, json=restore).json()
    assert counted == {"count": 1, "missing": [nobody], "archived": []}
    started = http.post("/v1/entries/change", json=restore).json()
    assert (started["count"], started["missing"]) == (1, [nobody])
    (skip,) = http.get(f"/v1/tasks/{started['task']}/skips").json()["skips"]
    assert (skip["entry_id"], skip["code"]) == (nobody, "ENTRY_NOT_FOUND")
    task = started["task"]
    assert f"casebook tasks skips {task}" in casebook.run("tasks", "show", task).out
    assert casebook.run("tasks", "skips", task).out == f"skipped {nobody} No entry has this id.\n"
    assert casebook.run("tasks", "skips", task, "--json").json["skips"] == [skip]
    assert http.get(f"/v1/tasks/{nobody}/skips").status_code == 404
    assert "TASK_NOT_FOUND" in casebook.run("tasks", "skips", nobody).err
    file.write_text(nobody)
    alone = casebook.run(*change)
    assert (alone.code, f"no entry {nobody}" in alone.err) == (1, True)
    assert "0 entries. No entry has 1 of the ids." in alone.out
    file.write_text("\n")
    assert "names no entry" in casebook.run(*change).err


def test_an_undo_in_the_wrong_order_says_what_comes_first(casebook: Casebook) -> None:
    """It changes nothing, and ends so; afterwards it can still be done."""
    row = b'{"external_id": "a", "title": "version %d"}\n'
    first, second = (
        casebook.run("import", "-", "--source", "order", "--json", stdin=row % n).json["id"]
        for n in (1, 2)
    )
    undo = ("imports", "undo")
    dry = casebook.run(*undo, first, "--dry-run", "--json")
    assert (dry.code, dry.json["count"], dry.json["skipped"]) == (0, 0, 1)
    assert dry.json["later"] == [second]
    refused = casebook.run(*undo, first, "--yes")
    assert (refused.code, f"casebook imports undo {second}" in refused.err) == (1, True)
    assert "0 entries." in refused.out
    for import_id in (second, first):
        done = casebook.run(*undo, import_id, "--yes", "--json")
        assert (done.code, done.json["result"]["changed"]) == (0, 1)
    again = casebook.run(*undo, first, "--yes")
    assert (again.code, f"Task {done.json['id']} took it back." in again.err) == (1, True)


def test_a_file_names_entries_as_their_source_does(
    casebook: Casebook, http: httpx.Client, tmp_path: Path
) -> None:
    """With a source, in the form of an import or as lines; without one it is asked for."""
    rows = b'{"external_id": "a", "title": "old a"}\n{"external_id": "b", "title": "old b"}\n'
    assert casebook.run("import", "-", "--source", "theirs", stdin=rows).code == 0
    file = tmp_path / "gone.ndjson"
    file.write_bytes(b'\xef\xbb\xbf{"external_id": "a", "title": "old a"}\nx\n')
    change = ("change", "archive", "--file", str(file), "--yes")
    wrong = casebook.run(*change)
    assert (wrong.code, "line 1" in wrong.err, "--source" in wrong.err) == (2, True, True)
    done = casebook.run(*change, "--source", "theirs")
    assert (done.code, "no entry x" in done.err) == (0, True)
    assert "changed 1, " in done.out and "skipped 1" in done.out
    left = http.get("/v1/entries", params={"source": "theirs"}).json()["entries"]
    assert [entry["title"] for entry in left] == ["old b"]
