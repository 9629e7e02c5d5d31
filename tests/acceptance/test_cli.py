"""The CLI as a person meets it."""

import gzip
import sys
import time
from pathlib import Path

import orjson
import pytest

from tests.support.casebook import Casebook
from tests.support.dying import until


def add(casebook: Casebook, title: str, *options: str) -> str:
    """A new entry's id, searchable."""
    done = casebook.run("add", title, "--wait", "--json", *options)
    assert done.code == 0, done.err
    entry_id: str = done.json["entry"]["id"]
    return entry_id


def test_a_code_gives_its_solution_first(casebook: Casebook) -> None:
    """`search S0C7` shows the S0C7 entry with its steps before anything else."""
    done = casebook.process("search", "S0C7")
    assert "─" * 80 + "\n" in done.out and "─" * 81 not in done.out, "a file has no width to fill"
    assert done.code == 0
    assert done.out.startswith("S0C7 ")
    assert done.out.index("\nSolution\n") < done.out.index("\nProblem\n")


@pytest.mark.parametrize(
    ("written", "title"),
    [
        ("s0c7", "S0C7"),
        ("-805", "SQLCODE -805"),
        ("SQLCODE -805", "SQLCODE -805"),
        ("SQLCODE=-805", "SQLCODE -805"),
        ("FILE STATUS 35", "FILE STATUS 35"),
        ("IEF450I S0C4", "S0C4"),
        ("ASRA", "CICS ASRA"),
    ],
)
def test_codes_are_found_as_people_write_them(casebook: Casebook, written: str, title: str) -> None:
    """The right entry is first, whatever the case, sign or word before the code."""
    hits = casebook.run("search", "--json", *written.split(" ")).json["hits"]
    assert hits[0]["title"].startswith(title)


def test_words_with_a_hyphen_are_words_and_options_are_options(casebook: Casebook) -> None:
    """`-word` leaves out a word; an option that does not exist is said so."""
    assert casebook.run("search", "--json", "S0C7", "-abend").json["interpreted_as"]
    wrong = casebook.run("search", "S0C7", "--limt", "3")
    assert (wrong.code, "--limt" in wrong.err) == (2, True)
    assert "leave out" in casebook.run("search", "--help").out


def test_a_person_is_told_how_a_query_was_read(casebook: Casebook) -> None:
    """Also where nothing was found: what did not parse, and what may have been meant."""
    nothing = casebook.run("search", "deadlok", "AND", "data")
    assert (nothing.code, "Nothing was found" in nothing.out) == (0, True)
    assert "did you mean: deadlock AND data\n" in nothing.err
    found = casebook.run("search", "db2 AND (bind")
    assert "a parenthesis is not closed: searched as plain words" in found.err
    assert "searched for" not in found.out


def test_searches_are_taught(casebook: Casebook) -> None:
    """Synonyms and pins are set, shown and removed; a code with a sign is no option."""
    entry_id = add(casebook, "Blorp runbook")
    for group, query, value in (("pins", "-99911", entry_id), ("synonyms", "blorp", "Wibble")):
        assert casebook.run(group, "set", query, value).code == 0
        assert f"{query} " in casebook.run(group).out
        assert query in str(casebook.run(group, "--json").json[group])
        assert casebook.run(group, "rm", query).code == 0
        again = casebook.run(group, "rm", query)
        assert (again.code, query in casebook.run(group).out) == (1, False)


def test_a_saved_search_hears_of_what_comes_later(casebook: Casebook) -> None:
    """Saved, matched within seconds of a new entry, shown, and removed."""
    assert casebook.run("searches", "save", "snark", "snarkling -boojum").code == 0
    entry_id = add(casebook, "Snarkling in the queue")

    def matched() -> list[dict[str, str]]:
        shown = casebook.run("searches", "matches", "snark", "--json").json["matches"]
        return list(shown)

    assert [one["entry_id"] for one in until(matched)] == [entry_id]
    assert "Snarkling" in casebook.run("searches", "matches", "snark").out
    assert "snarkling -boojum" in casebook.run("searches", "list").out
    assert casebook.run("searches", "rm", "snark").code == 0
    again = casebook.run("searches", "rm", "snark")
    assert (again.code, "SAVED_SEARCH_NOT_FOUND" in again.err) == (1, True)
    with casebook.http() as http:
        body = {"query": "x", "webhook": "http://10.0.0.1/"}
        refused = http.put("/v1/searches/any", json=body)
        assert (refused.status_code, refused.json()["code"]) == (409, "SAVED_SEARCH_REFUSED")


def test_a_search_can_be_counted_grouped_and_explained(casebook: Casebook) -> None:
    """For a person as text, for a program as JSON."""
    shown = casebook.run("search", "abend", "--facets", "category,severity", "--explain").out
    assert "\ncategory\n" in shown
    assert "for word abend in the title" in shown
    assert "CICS: " in casebook.run("search", "abend", "--group", "category").out
    fields = casebook.run("search", "abend", "--json", "--fields", "id", "--sort", "-updated")
    assert {tuple(hit) for hit in fields.json["hits"]} == {("id",)}
    wrong = casebook.run("search", "abend", "--sort", "colour")
    assert (wrong.code, "success_rate" in wrong.err) == (1, True)


def test_one_reads_ones_own_write(casebook: Casebook) -> None:
    """`add --wait` returns when a search finds the entry."""
    entry_id = add(casebook, "Zyxomma printer jams on tray nine")
    hits = casebook.run("search", "--json", "zyxomma").json["hits"]
    assert [hit["id"] for hit in hits] == [entry_id]


def test_an_entry_is_edited_listed_archived_and_removed(casebook: Casebook) -> None:
    """The life of an entry, each step seen by the next."""
    entry_id = add(casebook, "Life of an entry", "--category", "Network", "--tag", "lifetag")
    assert casebook.run("edit", entry_id, "--severity", "critical").code == 0
    (listed,) = casebook.run("list", "--tag", "lifetag", "--json").json["entries"]
    assert (listed["severity"], listed["version"]) == ("critical", 2)
    assert casebook.run("edit", entry_id, "--archive", "--wait").code == 0
    assert casebook.run("search", "--json", "--tag", "lifetag").json["total"] == 0
    assert casebook.run("edit", entry_id, "--restore", "--wait").code == 0
    assert casebook.run("search", "--json", "--tag", "lifetag").json["total"] == 1
    assert casebook.run("rm", entry_id, "--yes").code == 0
    gone = casebook.run("get", entry_id)
    assert gone.code == 1
    assert "ENTRY_NOT_FOUND" in gone.err


def test_the_editor_changes_an_entry(casebook: Casebook, tmp_path: Path) -> None:
    """`edit` without options opens the entry as Markdown and stores what comes back."""
    entry_id = add(casebook, "Edited by hand", "--problem", "old words", "--tag", "kept")
    editor = tmp_path / "editor.py"
    editor.write_text(
        "import os, pathlib, sys\n"
        "file = pathlib.Path(sys.argv[1])\n"
        "file.write_text(file.read_text().replace('old words', 'new words'))\n"
        "os.utime(file, (2e9, 2e9))  # click sees a change by its time, in whole seconds\n"
    )
    done = casebook.run("edit", entry_id, EDITOR=f"{sys.executable} {editor}")
    assert done.code == 0, done.err
    entry = casebook.run("get", entry_id, "--json").json
    assert (entry["problem"], entry["tags"]) == ("new words", ["kept"])


def test_a_stale_version_is_refused(casebook: Casebook) -> None:
    """`edit --expect` says that someone was first, and changes nothing."""
    entry_id = add(casebook, "Contested entry")
    casebook.run("edit", entry_id, "--severity", "low")
    late = casebook.run("edit", entry_id, "--severity", "high", "--expect", "1")
    assert late.code == 1
    assert "VERSION_CONFLICT" in late.err


def test_bad_fields_are_named(casebook: Casebook) -> None:
    """A title that is too short is refused by name, without a traceback."""
    done = casebook.run("add", "ab")
    assert done.code == 1
    assert "title" in done.err
    assert "Traceback" not in done.err


def test_an_import_reports_and_can_be_searched(casebook: Casebook, tmp_path: Path) -> None:
    """Rows of several files, one gzipped, with a mapping; bad ones are shown; exit code 1."""
    rows = [
        {"_id": n, "name": f"quuxbar device {n}", "meta": {"kind": "gadgets"}} for n in range(5)
    ]
    lines = b"\n".join(map(orjson.dumps, rows))
    (tmp_path / "a.ndjson.gz").write_bytes(gzip.compress(lines))
    (tmp_path / "b.csv").write_text("_id,name\n7,quuxbar seven\n8,x\n")
    mapping = ["--map", "external_id=_id", "--map", "title=name", "--map", "category=meta.kind"]
    files = [str(tmp_path / "a.ndjson.gz"), str(tmp_path / "b.csv")]
    done = casebook.run("import", *files, "--source", "quux", *mapping)
    assert done.code == 1
    assert "7 received = 6 created + 0 updated + 0 unchanged + 1 rejected" in done.out
    assert "b.csv:3 title" in done.out
    assert casebook.run("search", "--json", "quuxbar").json["total"] == 6
    again = casebook.run("import", files[0], "--source", "quux", *mapping, "--json")
    assert again.code == 0
    assert again.json["counts"]["unchanged"] == 5


def test_stdin_is_imported_and_export_gives_it_back(casebook: Casebook, tmp_path: Path) -> None:
    """What export writes, import reads: nothing changes."""
    line = orjson.dumps({"title": "From a pipe", "external_id": "p1", "tags": ["a", "b"]})
    done = casebook.process("import", "-", "--source", "pipe", stdin=line)
    assert done.code == 0, done.err
    for kind in ("ndjson", "csv"):
        file = tmp_path / f"out.{kind}"
        done = casebook.run("export", "--source", "pipe", "--format", kind, "--output", str(file))
        assert done.code == 0, done.err
        report = casebook.run("import", str(file), "--source", "pipe", "--json").json
        assert report["counts"]["unchanged"] == report["counts"]["received"] == 1


@pytest.mark.parametrize(
    ("content", "options", "code"),
    [
        (b"\x00\x01binary\x00", (), "UNSUPPORTED_FORMAT"),
        (b'{"title": "abc"}', ("--map", "colour=title"), "MAPPING_INVALID"),
        (None, (), "SOURCE_UNREADABLE"),
    ],
)
def test_an_import_that_cannot_run_says_why(
    casebook: Casebook, tmp_path: Path, content: bytes | None, options: tuple[str, ...], code: str
) -> None:
    """A binary file, a mapping to nowhere, a file that is not there: exit code 2."""
    file = tmp_path / "rows"
    if content is not None:
        file.write_bytes(content)
    done = casebook.run("import", str(file), *options)
    assert (done.code, code in done.err, "Traceback" in done.err) == (2, True, False)


def test_a_later_file_that_cannot_be_read_is_a_reject(casebook: Casebook, tmp_path: Path) -> None:
    """Rows of the first file are stored by then: the report adds up, and names the other one."""
    (tmp_path / "good.ndjson").write_bytes(b'{"title": "Before a picture", "external_id": "p"}\n')
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n\x00\x00")
    files = [str(tmp_path / name) for name in ("good.ndjson", "picture.png")]
    done = casebook.run("import", *files, "--source", "pictures", "--json")
    assert done.code == 1
    assert (done.json["counts"]["created"], done.json["counts"]["rejected"]) == (1, 1)
    assert done.json["rejects"][0]["code"] == "UNSUPPORTED_FORMAT"


def test_an_import_sent_again_counts_every_row_once(casebook: Casebook, tmp_path: Path) -> None:
    """`--resume` with the same file answers as before; with a longer one it is refused."""
    file = tmp_path / "rows.ndjson"
    lines = [orjson.dumps({"title": f"resumed row {n}", "external_id": n}) for n in range(1200)]
    file.write_bytes(b"\n".join(lines[:500]) + b"\n")
    import_ = ("import", str(file), "--source", "resumed", "--json")
    first = casebook.run(*import_).json
    again = casebook.run(*import_, "--resume", first["id"])
    assert again.code == 0, again.err
    assert again.json["counts"] == first["counts"]
    file.write_bytes(b"\n".join(lines) + b"\n")
    late = casebook.run(*import_, "--resume", first["id"])
    assert (late.code, "IMPORT_FINISHED" in late.err) == (2, True)


def test_an_empty_file_is_an_import_of_nothing(casebook: Casebook, tmp_path: Path) -> None:
    """Nothing is received, and that is no error."""
    (tmp_path / "empty").touch()
    done = casebook.run("import", str(tmp_path / "empty"), "--json")
    assert (done.code, done.json["counts"]["received"]) == (0, 0)


def test_the_index_can_be_built_anew(casebook: Casebook) -> None:
    """`reindex` swaps in a new index that agrees with PostgreSQL."""
    before = casebook.run("status", "--json").json["checks"]["index"]["facts"]
    assert casebook.run("reindex").code == 0
    page = casebook.until_well()
    after = page["checks"]["index"]["facts"]
    assert after["generation"] > before["generation"]
    assert after["folder"] != before["folder"]
    assert page["verified"]["agrees"] is True
    circuits = page["checks"]["circuits"]["facts"]
    assert circuits.keys() >= {"importer-0", "indexer-0", "worker-0"}
    assert {state for states in circuits.values() for state in states.values()} == {"closed"}


def test_a_lost_index_comes_back(casebook: Casebook) -> None:
    """The index folder is deleted while everything runs: it is built again by itself."""
    folder = casebook.data / "index"
    for path in sorted(folder.rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    add(casebook, "Written after the loss")  # waits until a search finds it
    deadline = time.monotonic() + 30
    while not casebook.run("search", "--json", "S0C7").json["hits"]:
        assert time.monotonic() < deadline
    assert casebook.run("status", "--verify", "--json").json["verified"]["agrees"] is True


def test_nothing_running_is_said_plainly(casebook: Casebook, tmp_path: Path) -> None:
    """Without servers: exit code 3, what to do, no traceback."""
    done = casebook.process("search", "x", CASEBOOK_DATA=str(tmp_path))
    assert done.code == 3
    assert "casebook up" in done.err
    assert "Traceback" not in done.err


#: Where nothing listens. Both, for one alone contradicts what runs here.
ELSEWHERE = {
    "CASEBOOK_REDIS_URL": "redis://127.0.0.1:1/0",
    "CASEBOOK_DATABASE_URL": "postgresql://casebook:hunter2@127.0.0.1:1/none",
}


def test_an_unreachable_redis_is_said_plainly(casebook: Casebook) -> None:
    """A Redis that does not answer: exit code 3, its code, no traceback."""
    done = casebook.run("list", **ELSEWHERE)
    assert (done.code, "QUEUE_UNAVAILABLE" in done.err, "Traceback" in done.err) == (3, True, False)


def test_an_unreachable_database_is_said_plainly(casebook: Casebook) -> None:
    """`migrate` against a database that does not answer: exit code 3, and no password shown."""
    done = casebook.process("migrate", **ELSEWHERE)
    assert (done.code, "DATABASE_UNAVAILABLE" in done.err) == (3, True)
    assert "hunter2" not in done.err + done.out
    assert "Traceback" not in done.err


def test_an_unknown_setting_is_an_error(casebook: Casebook) -> None:
    """A misspelt CASEBOOK_* variable is named, with the one that was probably meant."""
    done = casebook.run("list", CASEBOOK_PROT="80")
    assert done.code == 2
    assert "CASEBOOK_PORT" in done.err


def test_shell_completion_is_offered(casebook: Casebook) -> None:
    """click's completion script names our commands."""
    done = casebook.process(_CASEBOOK_COMPLETE="bash_source")
    assert done.code == 0
    assert "_CASEBOOK_COMPLETE" in done.out
