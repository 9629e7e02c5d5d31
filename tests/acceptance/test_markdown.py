"""Entries as a folder of Markdown, through the CLI: out, in again, and what is broken."""

import os
import sys
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from tests.support.casebook import Casebook

SOURCE = "kept in git"
TEXTS = (
    "## Problem\n\nnot a heading\n\\## Solution\n---\n",
    "  two lines\r\nof another system\r\n",
    "no final newline, trailing blanks  ",
    "\x01\x1b[31m\x7f\x85\u2028\ufeff ä 日本 \U0001f600",
    "```\n---\n## Solution\n```",
    "",
)
TITLES = (": x", "1e3", "null", "- a # b", "\"quoted\" \\ and 'so'", "{a: b}", "&anchor *alias")
ROWS: list[dict[str, Any]] = [
    {
        "external_id": name,
        "title": TITLES[place % len(TITLES)],
        "problem": TEXTS[place % len(TEXTS)],
        "solution": TEXTS[-1 - place % len(TEXTS)],
        "category": ("Batch", "I/O", "Zugriff & Rechte")[place % 3],
        "severity": ("low", "critical")[place % 2],
        "tags": ["no", "0013", "a, b", "ä"],
        "custom": {"codes": ["S0C7", "-805"], "deep": {"1e3": [None, True, 1.5, 10**15, "no"]}},
        "related": ["batch/s0c7", {"to": "kb 1", "kind": "prerequisite", "strength": 0.25}],
    }
    for place, name in enumerate(
        ("batch/s0c4", "S0C4", "s0c4", "../../up", ".", "007", "ü" * 200, "x" * 255)
    )
] + [
    {"external_id": "batch/s0c7", "title": "the one that is meant", "category": "Batch"},
    {"external_id": "kb 1", "title": "comes first", "custom": {"codes": "as they are"}},
]


def tree(root: Path) -> dict[str, bytes]:
    """Every file of the folder."""
    return {str(f.relative_to(root)): f.read_bytes() for f in root.rglob("*") if f.is_file()}


def kept(http: httpx.Client) -> dict[str, dict[str, Any]]:
    """The source's entries by external id, without what differs from one Casebook to the next."""
    page = http.get("/v1/entries", params={"source": SOURCE, "limit": 500}).json()
    fields = ("title", "problem", "solution", "category", "severity", "tags", "custom", "source")
    found = {}
    for entry in page["entries"]:
        related = sorted((r["external_id"], r["kind"], r["strength"]) for r in entry["relations"])
        found[entry["external_id"]] = {name: entry[name] for name in fields} | {"related": related}
    return found


def export(casebook: Casebook, root: Path, *options: str) -> str:
    """Export the source to the folder; what was said about it."""
    done = casebook.run("export", "--format", "markdown", "--to", str(root), *options)
    assert done.code == 0, done.err
    return done.err


def test_a_folder_holds_everything(casebook: Casebook, http: httpx.Client, tmp_path: Path) -> None:
    """Out, in where nothing of it is, and out again: every byte and field as before."""
    lines = b"\n".join(map(orjson.dumps, ROWS))
    done = casebook.run("import", "-", "--source", SOURCE, "--json", stdin=lines)
    assert done.json["counts"]["created"] == len(ROWS), done.err
    before = kept(http)
    assert before["007"]["related"] == [
        ("batch/s0c7", "related", 1.0),
        ("kb 1", "prerequisite", 0.25),
    ]
    assert f"{len(ROWS)} files written" in export(casebook, tmp_path / "one", "--source", SOURCE)
    assert len(tree(tmp_path / "one")) == len(ROWS)
    assert "0 files written" in export(casebook, tmp_path / "one", "--source", SOURCE)

    assert casebook.run("change", "delete", "--source", SOURCE, "--yes").code == 0
    assert kept(http) == {}
    done = casebook.run("import", str(tmp_path / "one"), "--json")
    assert done.json["counts"]["created"] == len(ROWS), done.err
    assert done.json["notes"] == []
    assert kept(http) == before
    export(casebook, tmp_path / "two", "--source", SOURCE)
    assert tree(tmp_path / "two") == tree(tmp_path / "one")
    again = casebook.run("import", str(tmp_path / "two"), "--json").json
    assert again["counts"]["unchanged"] == len(ROWS)


def test_a_folder_follows_its_source(casebook: Casebook, tmp_path: Path) -> None:
    """A changed entry's file is rewritten, one that is gone is named and removed if asked for."""
    rows = b"\n".join(orjson.dumps({"external_id": n, "title": f"file {n}"}) for n in "abc")
    casebook.run("import", "-", "--source", "followed", stdin=rows)
    export(casebook, tmp_path, "--source", "followed")
    rows = b'{"external_id": "a", "title": "file a", "problem": "new"}\n'
    casebook.run("import", "-", "--source", "followed", stdin=rows)
    rows += b'{"external_id": "b", "title": "file b"}'
    replace = ("--mode", "replace", "--max-removed", "100")
    casebook.run("import", "-", "--source", "followed", *replace, stdin=rows)
    said = export(casebook, tmp_path, "--source", "followed")
    assert "1 files written" in said
    assert "1 files of no such entry any more" in said
    assert len(tree(tmp_path)) == 3
    export(casebook, tmp_path, "--source", "followed", "--remove")
    assert sorted(tree(tmp_path)) == ["other/a.md", "other/b.md"]


@pytest.mark.parametrize(
    "options",
    [
        ("--format", "markdown"),
        ("--to", "DIR"),
        ("--format", "markdown", "--to", "DIR", "--output", "FILE"),
        ("--format", "markdown", "--to", "DIR", "--remove", "--tag", "x"),
    ],
)
def test_an_export_without_a_place_says_so(casebook: Casebook, options: tuple[str, ...]) -> None:
    """Markdown goes to a folder and the rest to a file; nothing is removed for a part."""
    done = casebook.run("export", *options)
    assert (done.code, "Usage" in done.err, "Traceback" in done.err) == (2, True, False)


def test_a_broken_folder_is_told(casebook: Casebook, tmp_path: Path) -> None:
    """Broken front matter is a reject at its line; links to nowhere and circles are notes."""
    for name, text in {
        "broken": "---\ntitle: a: b\n---\n",
        "nowhere": "---\ntitle: leads nowhere\nrelated: [batch/gone]\n---\n",
        "one": "---\ntitle: first of two\nrelated: [{to: kb/two, kind: prerequisite}]\n---\n",
        "two": "---\ntitle: second of two\nrelated: [{to: kb/one, kind: prerequisite}]\n---\n",
    }.items():
        (tmp_path / "kb").mkdir(exist_ok=True)
        (tmp_path / "kb" / f"{name}.md").write_text(text)
    done = casebook.run("import", str(tmp_path), "--source", "broken")
    assert done.code == 1
    assert "4 received = 3 created + 0 updated + 0 unchanged + 1 rejected" in done.out
    assert f"{tmp_path}/kb/broken.md:2 mapping values are not allowed here" in done.out
    assert f"{tmp_path}/kb/nowhere.md:1: related to batch/gone, which source broken" in done.out
    assert (
        "A circular relation (prerequisite) in source broken: kb/one → kb/two → kb/one." in done.out
    )


@pytest.mark.skipif(sys.platform != "linux", reason="file systems of others take no such name")
def test_a_file_whose_name_is_no_utf_8(casebook: Casebook, tmp_path: Path) -> None:
    """It is written back where its entry came from; gone from its source it is named."""
    folder, name = tmp_path / "notes", os.fsdecode(b"caf\xe9.md")
    folder.mkdir()
    (folder / name).write_text("---\ntitle: of an old server\n---\n\n## Problem\n\nsomething\n")
    assert casebook.run("import", str(folder), "--source", "old server").code == 0
    exporting = ("export", "--format", "markdown", "--to", str(folder), "--source", "old server")
    done = casebook.run(*exporting)
    assert (done.code, "1 entries" in done.err) == (0, True)
    assert [path.name for path in folder.iterdir()] == [name]
    (folder / name).rename(folder / os.fsdecode(b"th\xe9.md"))
    told = casebook.run(*exporting).err
    assert "1 files of no such entry any more" in told
    assert "notes/th\\xe9.md" in told


def test_a_folder_is_judged_without_a_server(tmp_path: Path) -> None:
    """A line for each finding, or one document; exit code 1, and 0 where there is none."""
    casebook = Casebook(tmp_path / "nothing runs", 0)
    (tmp_path / "kb").mkdir()
    (tmp_path / "kb" / "a.md").write_text("---\ntitle: [\n---\n")
    done = casebook.run("lint", str(tmp_path))
    assert done.code == 1
    assert done.out.startswith(f"{tmp_path}/kb/a.md:3: MARKDOWN_UNREADABLE ")
    assert "1 files, 1 findings" in done.err
    (finding,) = casebook.run("lint", str(tmp_path), "--json").json["findings"]
    assert (finding["line"], finding["code"]) == (3, "MARKDOWN_UNREADABLE")
    assert casebook.run("lint", str(tmp_path), "--ignore", "MARKDOWN_UNREADABLE").code == 0
    (tmp_path / "kb" / "a.md").unlink()
    nothing = casebook.run("lint", str(tmp_path))
    assert (nothing.code, "SOURCE_UNREADABLE" in nothing.err) == (2, True)
