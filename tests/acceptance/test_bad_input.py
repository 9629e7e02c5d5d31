"""Input as bad as it comes, through the CLI and over HTTP: every report adds up."""

import bz2
import gzip
import lzma
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from tests.support.casebook import Casebook

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

GOOD = [b'{"title": "bad input %d", "external_id": "%d"}\n' % (n, n) for n in range(300)]

Case = tuple[str, bytes, dict[str, Any], int | None, set[str]]

#: Name, bytes, options; how many rows are rejected (None: it depends on the packing), and why.
CASES: list[Case] = [
    ("nested.ndjson", GOOD[0] + b"[" * 100_000 + b"\n" + GOOD[1], {}, 1, {"JSON_UNREADABLE"}),
    (
        "nested.json",
        b"[" + GOOD[0] + b',{"title":' + b"[" * 100_000 + b"]" * 100_000 + b"}]",
        {},
        1,
        {"JSON_UNREADABLE"},
    ),
    (
        "deep.ndjson",
        b'{"custom":' + b'{"a":' * 800 + b"1" + b"}" * 801 + b"\n",
        {},
        1,
        {"ROW_UNREADABLE"},
    ),
    (
        "custom.ndjson",
        GOOD[0][:-2] + b', "custom":' + b'{"a":' * 199 + b"{}" + b"}" * 200 + b"\n",
        {},
        1,
        {"VALUE_ERROR"},
    ),
    (
        "number.ndjson",
        b'{"title": 1e999}\n{"title": 123456789012345678901}\n',
        {},
        2,
        {
            "JSON_UNREADABLE",
            "STRING_TYPE",
        },
    ),
    ("twice.ndjson", b'{"title": "first title", "title": "second title"}\n', {}, 0, set()),
    ("lone.ndjson", b'{"title": "lone \\ud800"}\n' + GOOD[0], {}, 1, {"JSON_UNREADABLE"}),
    (
        "nul.ndjson",
        b'{"title": "nul \\u0000"}\n{"title": "n\0l"}\n',
        {},
        2,
        {
            "VALUE_ERROR",
            "JSON_UNREADABLE",
        },
    ),
    ("nul.csv", b"title,problem\na\0bc,x\n", {}, 1, {"VALUE_ERROR"}),
    ("latin.ndjson", b'{"title": "caf\xe9"}\n' + GOOD[0], {}, 1, {"ENCODING_UNREADABLE"}),
    ("ragged.csv", b"title,problem\none\ntwo two,b,c\nthree,d\n", {}, 2, {"CSV_RAGGED"}),
    ("quotes.csv", b'title,problem\n"one"1,a\ntwo,"open\n', {}, 2, {"CSV_UNREADABLE"}),
    ("cut.ndjson", b"".join(GOOD)[:-20], {}, 1, {"JSON_UNREADABLE"}),
    ("cut.json", b"[" + b",".join(GOOD)[:-20], {}, 1, {"JSON_UNREADABLE"}),
    ("cut.csv", b'title,problem\none one,a\n"two', {}, 1, {"CSV_UNREADABLE"}),
    ("cut.gz", gzip.compress(b"".join(GOOD))[:-40], {}, None, {"SOURCE_CUT_SHORT"}),
    ("cut.bz2", bz2.compress(b"".join(GOOD))[:-40], {}, None, {"SOURCE_CUT_SHORT"}),
    ("cut.zst", zstd.compress(b"".join(GOOD))[:-40], {}, None, {"SOURCE_CUT_SHORT"}),
    ("cut.xz", lzma.compress(b"".join(GOOD))[:-40], {}, None, {"SOURCE_CUT_SHORT"}),
    (
        "long.ndjson",
        b'{"title": "' + b"x" * 3_000_000 + b'"}\n' + GOOD[0],
        {},
        1,
        {
            "ROW_TOO_LARGE",
        },
    ),
    (
        "long.json",
        b'[{"title": "' + b"x" * 3_000_000 + b'"},' + GOOD[0] + b"]",
        {},
        1,
        {
            "ROW_TOO_LARGE",
        },
    ),
    ("limits.ndjson", b'{"title": "' + b"x" * 256 + b'"}\n', {}, 1, {"STRING_TOO_LONG"}),
    ("all.ndjson", b'{"titel": "wrong"}\n' * 1200, {}, 1200, {"EXTRA_FORBIDDEN"}),
    ("none.ndjson", b"1\n[]\nnull\n" * 400, {}, 1200, {"NOT_AN_OBJECT"}),
    (
        "object.ndjson",
        b'{"t": {"a": 1}}\n{"t": ["a"]}\n{"t": 12345}\n',
        {"map": "title=t"},
        2,
        {"MAPPED_NOT_TEXT"},
    ),
    (
        "delete.ndjson",
        b'{"delete": {"_id": "1"}}\n{"index": {"_id": "2"}}\n' + GOOD[2],
        {},
        1,
        {
            "BULK_DELETE",
        },
    ),
    ("alias.md", b"---\na: &a [x]\nb: &b [*a,*a]\n---\n", {}, 1, {"MARKDOWN_UNREADABLE"}),
    ("nested.md", b"---\na: " + b"[" * 60_000 + b"\n---\n", {}, 1, {"MARKDOWN_UNREADABLE"}),
]


def check(report: dict[str, Any], case: Case) -> None:
    """The sums, and the rejects that were due."""
    _, _, _, rejected, reasons = case
    counts = report["counts"]
    parts = ("created", "updated", "unchanged", "rejected")
    assert counts["received"] == sum(counts[part] for part in parts)
    assert report["status"] == "finished"
    assert counts["rejected"] == rejected or (rejected is None and counts["rejected"] >= 1)
    assert reasons <= {reject["code"] for reject in report["rejects"]}
    assert len(report["rejects"]) == min(counts["rejected"], 20)


@pytest.mark.parametrize("case", CASES, ids=[case[0] for case in CASES])
def test_over_http(http: httpx.Client, case: Case) -> None:
    """201 with a report that adds up, whatever the body holds."""
    name, data, options, *_ = case
    params = {"source": f"http {name}", "name": name, **options}
    reply = http.post("/v1/imports", params=params, content=data)
    assert reply.status_code == 201, reply.text
    check(reply.json(), case)


def test_through_the_cli(casebook: Casebook, tmp_path: Path) -> None:
    """The same cases as files: exit code 1 where rows are rejected, and never a traceback."""
    for case in CASES:
        name, data, options, *_ = case
        file = tmp_path / name
        file.write_bytes(data)
        arguments = [f"--{option}={value}" for option, value in options.items()]
        arguments += ["--source", f"cli {name}", "--json", "--no-wait"]
        done = casebook.run("import", str(file), *arguments)
        assert "Traceback" not in done.err, done.err
        check(done.json, case)
        assert done.code == (1 if done.json["counts"]["rejected"] else 0)


@pytest.mark.skipif(sys.platform != "linux", reason="file systems of others take no such name")
def test_names_that_are_no_utf_8(casebook: Casebook, tmp_path: Path) -> None:
    """Reports call such files by what can be told of their names, wherever they are."""
    folder = tmp_path / "rows"
    folder.mkdir()
    for name in (b"a\xe9.ndjson", b"b.ndjson", b"c\xff.ndjson"):
        content = GOOD[name[0]] + b"{broken\n"
        (folder / os.fsdecode(name)).write_bytes(content)
    rejects = str(tmp_path / "rejects")
    for options in (["--dry-run"], ["--rejects", rejects, "--no-wait"]):
        done = casebook.run("import", str(folder), "--source", "odd", "--json", *options)
        assert "Traceback" not in done.err, done.err
        counts = done.json["counts"]
        assert (done.code, counts["created"], counts["rejected"]) == (1, 3, 3)
        files = sorted(Path(reject["file"]).name for reject in done.json["rejects"])
        assert files == ["a\\xe9.ndjson", "b.ndjson", "c\\xff.ndjson"]
    one = casebook.run("import", str(folder / os.fsdecode(b"a\xe9.ndjson")), "--source", "odd")
    assert (one.code, "a\\xe9.ndjson:2" in one.out) == (1, True), one.err


def test_a_terminal_is_not_told_what_to_do(casebook: Casebook, tmp_path: Path) -> None:
    """What a row says is shown without its control characters."""
    file = tmp_path / "escapes.ndjson"
    file.write_bytes(b'{"title": "escapes", "\\u001b]0;x\\u0007[red]": 1}\n')
    shown = casebook.run("import", str(file), "--source", "escapes").out
    assert "\x1b" not in shown
    assert "\\x1b]0;x\\x07[red]: entries have no such field" in shown


def test_all_of_them_in_one_import(casebook: Casebook, tmp_path: Path) -> None:
    """As one folder: the sums of the files are the sum of the import."""
    for name, data, options, *_ in CASES:
        if not options and name.endswith((".ndjson", ".json", ".csv", ".md")):
            (tmp_path / name).write_bytes(data)
    done = casebook.run("import", str(tmp_path), "--source", "all", "--json", "--no-wait")
    counts = done.json["counts"]
    names = {path.name for path in tmp_path.iterdir()}
    rejected = sum(case[3] or 0 for case in CASES if case[0] in names)
    assert counts["rejected"] == rejected
    assert counts["received"] == rejected + sum(
        counts[part] for part in ("created", "updated", "unchanged")
    )


@pytest.mark.parametrize(
    ("params", "content", "code"),
    [
        ({"delimiter": "ab"}, b"a,b\n", "SOURCE_UNREADABLE"),
        ({"encoding": "nonsense"}, b"a,b\n", "ENCODING_UNKNOWN"),
        ({"format": "nonsense"}, b"a,b\n", "VALIDATION_FAILED"),
        ({"default": "severity=awful"}, b"a,b\n", "MAPPING_INVALID"),
        ({"split": "title=;"}, b"a,b\n", "MAPPING_INVALID"),
        ({"mapping": "none"}, b"a,b\n", "MAPPING_NOT_FOUND"),
        ({"mapping": "../x"}, b"a,b\n", "VALIDATION_FAILED"),
        ({"name": "a\0b"}, GOOD[0], "VALIDATION_FAILED"),
        ({"name": "\0", "dry_run": True}, GOOD[0], "VALIDATION_FAILED"),
        ({"name": "x" * 256}, GOOD[0], "VALIDATION_FAILED"),
        ({"source": "\0"}, GOOD[0], "VALIDATION_FAILED"),
        ({"encoding": "\0"}, GOOD[0], "ENCODING_UNKNOWN"),
        ({"max_removed": "nan"}, GOOD[0], "VALIDATION_FAILED"),
        ({}, b"\0\1\2", "UNSUPPORTED_FORMAT"),
        ({}, gzip.compress(b"\0\1\2", mtime=0), "UNSUPPORTED_FORMAT"),
    ],
)
def test_what_cannot_be_read_at_all(
    http: httpx.Client, params: dict[str, Any], content: bytes, code: str
) -> None:
    """A problem with its code, before any row."""
    reply = http.post("/v1/imports", params=params, content=content)
    assert (reply.status_code // 100, reply.json()["code"]) == (4, code)


@pytest.mark.parametrize(
    ("misspelt", "meant"),
    [("dryrun", "dry_run"), ("max-removed", "max_removed"), ("maxrejects", "max_rejects")],
)
def test_a_misspelt_parameter_is_refused(http: httpx.Client, misspelt: str, meant: str) -> None:
    """What was meant as a dry run would write; the one that is near is named."""
    params = {"source": "misspelt", misspelt: "1"}
    reply = http.post("/v1/imports", params=params, content=GOOD[0])
    assert (reply.status_code, reply.json()["code"]) == (422, "VALIDATION_FAILED")
    assert reply.json()["errors"] == [
        {
            "field": f"query.{misspelt}",
            "code": "EXTRA_FORBIDDEN",
            "message": f"there is no such parameter; is it {meant}?",
        }
    ]
    assert not http.get("/v1/entries", params={"source": "misspelt"}).json()["entries"]


@pytest.mark.parametrize("page", ["", "/versions", "/similar"])
def test_a_read_refuses_a_misspelt_parameter(http: httpx.Client, page: str) -> None:
    """Each page of an entry, also the one that is asked for most."""
    http.post("/v1/imports", params={"source": "misread"}, content=GOOD[0])
    (entry,) = http.get("/v1/entries", params={"source": "misread"}).json()["entries"]
    place = f"/v1/entries/{entry['id']}{page}"
    reply = http.get(place, params={"limits": 1})
    assert (reply.status_code, reply.json()["code"]) == (422, "VALIDATION_FAILED")
    assert [one["field"] for one in reply.json()["errors"]] == ["query.limits"]
    page = f"/v1/analytics/entries/{entry['id']}"
    assert http.get(page, params={"sinc": "2026-01-01"}).json()["errors"][0]["message"] == (
        "there is no such parameter; is it since?"
    )


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ({"Content-Encoding": "deflate"}, "packed as 'deflate'"),
        ({"Content-Encoding": "br"}, "packed as 'br'"),
        ({"Content-Encoding": "gzip, br"}, "packed as 'gzip, br'"),
        ({"Content-Type": "multipart/form-data; boundary=x"}, "not a part of a form"),
    ],
)
def test_a_body_that_nobody_can_read(
    http: httpx.Client, headers: dict[str, str], said: str
) -> None:
    """415, which says how it should be sent."""
    reply = http.post("/v1/imports", content=GOOD[0], headers=headers)
    assert (reply.status_code, reply.json()["code"]) == (415, "UNSUPPORTED_FORMAT")
    assert said in reply.json()["detail"]


@pytest.mark.parametrize("packed", ["gzip", "identity"])
def test_a_body_that_says_how_it_is_packed(http: httpx.Client, packed: str) -> None:
    """Its first bytes tell the same."""
    content = gzip.compress(GOOD[0]) if packed == "gzip" else GOOD[0]
    headers = {"Content-Encoding": packed}
    params = {"source": f"packed {packed}"}
    reply = http.post("/v1/imports", params=params, content=content, headers=headers)
    assert reply.json()["counts"]["created"] == 1


@pytest.mark.parametrize("dry_run", [True, False])
def test_lines_that_curl_has_joined(http: httpx.Client, dry_run: bool) -> None:
    """Objects that `-d` has put on one line are read; a CSV is a header then, and the report has a
    word about it."""
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    params = {"source": "curl", "dry_run": dry_run}
    joined = b"title,problem\none,a\ntwo,b\n".replace(b"\n", b"")
    report = http.post("/v1/imports", params=params, content=joined, headers=headers).json()
    assert report["counts"]["received"] == 0
    assert any("--data-binary" in note for note in report["notes"])
    whole = http.post("/v1/imports", params=params, content=GOOD[0], headers=headers).json()
    assert (whole["counts"]["created"], whole["notes"]) == (1, [])
    joined = b"".join(GOOD[1:4]).replace(b"\n", b"")
    whole = http.post("/v1/imports", params=params, content=joined, headers=headers).json()
    assert (whole["counts"]["created"], whole["notes"]) == (3, [])


@pytest.mark.parametrize("page", ["", "/similar"])
@pytest.mark.parametrize("offset", [-1, 2**31, 2**63])
def test_an_offset_beyond_all_rows_is_refused(http: httpx.Client, page: str, offset: int) -> None:
    """PostgreSQL has none that is larger."""
    made = http.post("/v1/imports", params={"source": "offsets"}, content=GOOD[0]).json()
    place = f"/v1/imports/{made['id']}{page}"
    assert http.get(place, params={"offset": offset}).status_code == 422
    assert http.get(place, params={"offset": 2**31 - 1}).status_code == 200


def test_a_saved_mapping_is_used_by_all(
    casebook: Casebook, http: httpx.Client, tmp_path: Path
) -> None:
    """Saved by the CLI, used over HTTP, and the other way round; what is said here goes before."""
    row = {"key": "k1", "names": ["mapped wombat"], "labels": "a;b", "sev": "HIGH"}
    file = tmp_path / "rows.ndjson"
    file.write_bytes(orjson.dumps(row))
    options = ["--map", "external_id=key", "--map", "title=names.0", "--map", "tags=labels"]
    options += ["--split", "tags=;", "--default", "category=Network"]
    import_ = ("import", str(file), "--source", "wombats", "--json")
    first = casebook.run(*import_, *options, "--save-mapping", "wombats")
    assert (first.code, first.json["counts"]["created"]) == (0, 1), first.err
    again = casebook.run(*import_, "--mapping", "wombats")
    assert again.json["counts"]["unchanged"] == 1
    params = {"source": "wombats", "mapping": "wombats"}
    reply = http.post("/v1/imports", params=params, content=orjson.dumps(row))
    assert reply.json()["counts"]["unchanged"] == 1
    (entry,) = http.get("/v1/entries", params={"source": "wombats"}).json()["entries"]
    assert (entry["title"], entry["tags"], entry["category"]) == (
        "mapped wombat",
        ["a", "b"],
        "Network",
    )
    changed = http.post(
        "/v1/imports", params=params | {"map": "severity=sev"}, content=orjson.dumps(row)
    )
    assert changed.json()["counts"]["updated"] == 1


def test_a_mapping_that_finds_nothing_is_named(http: httpx.Client) -> None:
    """In the notes of the report and of a dry run; rows that lack a part of their id have none."""
    body = (
        b'{"title": "first row", "sys": "a", "num": 1}\n{"title": "second row"}\n{"title": "third"}'
    )
    params = {"source": "part", "map": ["external_id={sys}/{num}", "tags=tgas"]}
    for dry in (True, False):
        report = http.post("/v1/imports", params=params | {"dry_run": dry}, content=body).json()
        assert report["counts"]["created"] == 3
        assert report["notes"] == ["The mapping looks where no row has anything: tgas (for tags)."]


@pytest.mark.parametrize(
    "shape", [{"defaults": {"external_id": "same"}}, {"mapping": {"title": "{t"}}]
)
def test_a_shape_that_says_nothing_sensible_is_refused(
    http: httpx.Client, shape: dict[str, dict[str, str]]
) -> None:
    """Before any row, where it is used and where it would be kept."""
    assert http.put("/v1/mappings/odd", json=shape).status_code == 422
    names = {"defaults": "default", "mapping": "map"}
    params = {
        names[kind]: f"{field}={text}" for kind, one in shape.items() for field, text in one.items()
    }
    refused = http.post("/v1/imports", params=params, content=b'{"title": "any row"}')
    assert (refused.status_code, refused.json()["code"]) == (422, "MAPPING_INVALID")


def test_mappings_are_kept_over_http_and_shown(casebook: Casebook, http: httpx.Client) -> None:
    """Put, read, listed and deleted; the CLI shows the options that make it."""
    shape = {"mapping": {"title": "a.b"}, "splits": {"tags": "|"}}
    put = http.put("/v1/mappings/over-http", json=shape)
    assert put.status_code == 200, put.text
    assert http.get("/v1/mappings/over-http").json() == put.json()
    assert "over-http" in {one["name"] for one in http.get("/v1/mappings").json()["mappings"]}
    shown = casebook.run("mappings", "show", "over-http").out
    assert "--map title=a.b" in shown
    assert "--split tags=|" in shown
    saved = casebook.run("mappings", "save", "by-cli", "--map", "title=x", "--json")
    assert saved.json["shape"]["mapping"] == {"title": "x"}
    assert "by-cli" in casebook.run("mappings").out
    assert casebook.run("mappings", "rm", "by-cli").code == 0
    assert http.delete("/v1/mappings/over-http").status_code == 200
    assert http.get("/v1/mappings/over-http").json()["code"] == "MAPPING_NOT_FOUND"
    wrong = http.put("/v1/mappings/x", json={"mapping": {"nonsense": "a"}})
    assert (wrong.status_code, wrong.json()["code"]) == (422, "VALIDATION_FAILED")
    missing = casebook.run("mappings", "show", "none")
    assert (missing.code, "MAPPING_NOT_FOUND" in missing.err) == (1, True)


def test_a_type_with_an_encoding_is_believed(http: httpx.Client) -> None:
    """`charset` of the content type is the encoding; without it there is a note."""
    data = "title,external_id\nGerätestörung,1\n".encode("windows-1252")
    declared = {"Content-Type": "text/csv; charset=windows-1252"}
    params = {"source": "charset"}
    one = http.post("/v1/imports", params=params, content=data, headers=declared).json()
    assert (one["counts"]["created"], one["notes"]) == (1, [])
    two = http.post(
        "/v1/imports", params=params, content=data, headers={"Content-Type": "text/csv"}
    ).json()
    assert two["counts"]["unchanged"] == 1
    assert two["notes"] == ["body is not UTF-8; it was read as cp1252."]


PACKERS: list[Callable[[bytes], bytes]] = [gzip.compress, bz2.compress, lzma.compress]


def test_patterns_are_expanded_by_us(casebook: Casebook, tmp_path: Path) -> None:
    """A quoted pattern names packed files of several kinds; their rows are one import."""
    for number, pack in enumerate(PACKERS):
        file = tmp_path / f"part{number}.json.packed"
        file.write_bytes(pack(b"".join(GOOD[number * 10 : number * 10 + 10])))
    done = casebook.run("import", str(tmp_path / "part*.packed"), "--source", "parts", "--json")
    assert (done.code, done.json["counts"]["created"]) == (0, 30), done.err
    none = casebook.run("import", str(tmp_path / "*.none"))
    assert (none.code, "SOURCE_UNREADABLE" in none.err) == (2, True)
