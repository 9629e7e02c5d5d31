"""What an import does with rows that are here, through the CLI and over HTTP."""

from pathlib import Path
from typing import Any

import httpx
import orjson

from tests.support.casebook import Casebook


def lines(*names: str, text: str = "as it was") -> bytes:
    """Rows about these external ids, as NDJSON."""
    rows = ({"external_id": name, "title": f"row {name} {text}"} for name in names)
    return b"\n".join(map(orjson.dumps, rows))


def listed(http: httpx.Client, source: str) -> set[str]:
    """The external ids of a source's live entries."""
    page = http.get("/v1/entries", params={"source": source, "limit": 500}).json()
    return {entry["title"].split()[1] for entry in page["entries"]}


def post(http: httpx.Client, content: bytes, **params: Any) -> httpx.Response:
    """Import a body."""
    return http.post("/v1/imports", params=params, content=content)


def test_the_cli_creates_only(casebook: Casebook) -> None:
    """A row whose entry is here with other content is shown as a reject; exit code 1."""
    create = ("import", "-", "--source", "only new", "--mode", "create")
    assert casebook.run(*create, stdin=lines("a", "b")).code == 0
    again = casebook.run(*create, stdin=lines("a") + b"\n" + lines("b", "c", text="new"))
    assert again.code == 1
    assert "3 received = 1 created + 0 updated + 1 unchanged + 1 rejected" in again.out
    assert "ENTRY_EXISTS" in again.out


def test_the_cli_replaces_a_source(casebook: Casebook, http: httpx.Client, tmp_path: Path) -> None:
    """Too much missing is refused and can be meant; a dry run says it first; it can be undone."""
    file = tmp_path / "rows.ndjson"
    file.write_bytes(lines(*"abcde"))
    replace = ("import", str(file), "--source", "cli replaced", "--mode", "replace")
    assert casebook.run(*replace).code == 0
    file.write_bytes(lines("a", "b", "n"))
    dry = casebook.run(*replace, "--dry-run")
    assert dry.code == 2, "as the real one will"
    assert "REPLACE_TOO_MUCH" in dry.err
    assert "3 of the 5 entries" in dry.err
    assert casebook.run(*replace, "--dry-run", "--max-removed", "60").code == 0
    assert "3 received = 1 created + 0 updated + 2 unchanged + 0 rejected" in dry.out
    assert "3 archived" in dry.out
    assert "dry run" in dry.out
    refused = casebook.run(*replace)
    assert refused.code == 2
    assert "REPLACE_TOO_MUCH" in refused.err
    assert "3 of the 5 entries" in refused.err
    assert listed(http, "cli replaced") == set("abcde")
    resume = next(line for line in refused.err.splitlines() if "--resume" in line).split()
    assert resume[:2] == ["casebook", "import"]
    done = casebook.run("import", *resume[2:-1], str(file), "--json")
    assert done.code == 0, done.err
    assert done.json["archived"] == 3
    assert listed(http, "cli replaced") == {"a", "b", "n"}
    assert casebook.run("imports", "undo", done.json["id"], "--yes").code == 0
    assert listed(http, "cli replaced") == set("abcde")


def test_the_cli_checks_without_writing(casebook: Casebook, http: httpx.Client) -> None:
    """A dry run shows the rejects of all formats, stores nothing and leaves no import."""
    before = http.get("/v1/tasks").json()["tasks"]
    body = lines("a") + b'\n{"title": "x"}\nno json\n'
    done = casebook.run("import", "-", "--source", "checked", "--dry-run", "--json", stdin=body)
    assert done.code == 1
    assert done.json["status"] == "dry run"
    assert done.json["counts"]["created"] == 1
    assert {reject["line"] for reject in done.json["rejects"]} == {2, 3}
    assert listed(http, "checked") == set()
    assert http.get("/v1/tasks").json()["tasks"] == before


def test_modes_over_http(http: httpx.Client) -> None:
    """The same by query parameters; what is refused says which import to go on with."""
    assert post(http, lines(*"abcd"), source="http replaced").status_code == 201
    dry = post(http, lines("a"), source="http replaced", mode="replace", dry_run=True)
    assert (dry.status_code, dry.json()["archived"]) == (200, 3)
    assert dry.json()["error"]["code"] == "REPLACE_TOO_MUCH"
    asked = {"source": "http replaced", "mode": "replace"}
    refused = post(http, lines("a"), **asked)
    assert (refused.status_code, refused.json()["code"]) == (409, "REPLACE_TOO_MUCH")
    details = refused.json()
    assert (details["live"], details["missing"]) == (4, 3)
    assert listed(http, "http replaced") == set("abcd")
    done = post(http, lines("a"), **asked, max_removed=100, resume=details["import_id"])
    assert done.json()["archived"] == 3, done.text
    assert listed(http, "http replaced") == {"a"}
    create = post(http, lines("a", text="new"), source="http replaced", mode="create")
    assert create.json()["rejects"][0]["code"] == "ENTRY_EXISTS"
    nobody = post(http, lines("a"), mode="replace")
    assert (nobody.status_code, nobody.json()["code"]) == (422, "VALIDATION_FAILED")


def test_duplicates_are_refused_by_name(casebook: Casebook, http: httpx.Client) -> None:
    """Through both ways in; kept where that is said."""
    made = http.post("/v1/entries", json={"title": "row d held by another"}).json()["entry"]["id"]
    body = lines("d", text="held by another")
    asked = ("import", "-", "--source", "twice", "--duplicates")
    refused = casebook.run(*asked, "reject", "--json", stdin=body)
    assert refused.code == 1
    (reject,) = refused.json["rejects"]
    assert (reject["code"], made in reject["message"]) == ("DUPLICATE_ENTRY", True)
    skipped = post(http, body, source="twice", duplicates="skip").json()["counts"]
    assert (skipped["created"], skipped["unchanged"]) == (0, 1)
    assert casebook.run(*asked, "keep", "--json", stdin=body).json["counts"]["created"] == 1


def test_near_duplicates_are_reported(casebook: Casebook, http: httpx.Client) -> None:
    """Looked for with the import or afterwards, listed by both ways in; nothing is refused."""
    text = "the nightly reconciliation job ends with a timeout while the ledger is locked by"
    rows = [
        {"external_id": f"{n}", "title": "Ledger locked", "problem": f"{text} {other} batch"}
        for n, other in enumerate(("another", "some other"))
    ]
    body = b"\n".join(map(orjson.dumps, rows))
    done = casebook.run("import", "-", "--source", "near", "--similar", "--json", stdin=body)
    assert done.json["counts"]["created"] == 2
    import_id = done.json["id"]
    shown = casebook.run("imports", "similar", import_id, "--find", "--minimum", "0.5")
    assert shown.code == 0, shown.err
    assert shown.out.count("Ledger locked") == 4
    listed = casebook.run("imports", "similar", import_id, "--minimum", "0.5", "--json").json
    page = http.get(f"/v1/imports/{import_id}/similar", params={"minimum": 0.5}).json()
    assert page == listed
    (one, other) = page["pairs"]
    assert (one["entry_id"], one["other_id"]) == (other["other_id"], other["entry_id"])
    assert 0.5 < one["similarity"] < 1
    assert http.get(f"/v1/imports/{import_id}/similar", params={"minimum": 1}).json()["pairs"] == []
    again = http.post(f"/v1/imports/{import_id}/similar")
    assert (again.status_code, again.json()["count"]) == (202, 2)


def test_an_import_names_its_files(casebook: Casebook, http: httpx.Client, tmp_path: Path) -> None:
    """All of them where one import is shown; where many are listed, the first and how many."""
    files = [str(tmp_path / f"part {n:02}.ndjson") for n in range(12)]
    for n, file in enumerate(files):
        Path(file).write_bytes(lines(f"f{n}"))
    done = casebook.run("import", str(tmp_path), "--source", "named files", "--json").json
    assert (done["files"], done["file_count"]) == (files, 12)
    shown = http.get(f"/v1/imports/{done['id']}").json()
    assert (shown["files"], shown["file_count"]) == (files, 12)
    text = casebook.run("imports", "show", done["id"]).out
    assert f"from {', '.join(files[:10])} and 2 more" in text
    (listed,) = http.get("/v1/imports", params={"source": "named files"}).json()["imports"]
    assert (listed["files"], listed["file_count"]) == (files[:1], 12)
    said = f"{files[0]} and 11 more of named files: 12 created"
    assert said in casebook.run("imports", "list", "--source", "named files").out
    assert said in casebook.run("tasks", "--type", "import").out
