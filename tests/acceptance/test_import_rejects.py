"""Rejected rows of an import: written, mended, imported again."""

import csv
import io
from pathlib import Path

import httpx
import orjson
import pytest

from tests.support.casebook import Casebook


def lines(path: Path) -> list[dict[str, object]]:
    """A file's rows."""
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]


def test_rejects_are_mended_and_imported(casebook: Casebook, tmp_path: Path) -> None:
    """NDJSON: all that was rejected comes in with the file of rejects, and nothing else."""
    source, rejects = tmp_path / "in.ndjson", tmp_path / "rejects.ndjson"
    rows = [{"title": f"mend {n}" if n % 3 else "no", "external_id": n} for n in range(1200)]
    source.write_bytes(b"\n".join(orjson.dumps(row) for row in rows) + b"\n{broken\n")
    options = ("--source", "mend", "--json")
    first = casebook.run("import", str(source), "--rejects", str(rejects), *options)
    assert first.code == 1, first.err
    assert first.json["counts"]["rejected"] == 401 == len(lines(rejects))
    mended = [
        {"title": "mended", "external_id": 9999}
        if "_raw" in row
        else row | {"title": f"mended {row['external_id']}"}
        for row in lines(rejects)
    ]
    rejects.write_bytes(b"\n".join(orjson.dumps(row) for row in mended))
    second = casebook.run("import", str(rejects), *options)
    assert second.code == 0, second.out
    assert second.json["counts"]["created"] == 401


def test_rejects_of_csv_are_csv(casebook: Casebook, tmp_path: Path) -> None:
    """The same header, what a mapping leaves out too; mended with a spreadsheet's means."""
    source, rejects = tmp_path / "in.csv", tmp_path / "rejects.csv"
    source.write_text("nr;name;extra\n1;good csv row;a\n2;;b\n3;third csv row;c;d\n", "utf-8")
    options = ("--source", "csvmend", "--map", "external_id=nr", "--map", "title=name", "--json")
    first = casebook.run("import", str(source), "--rejects", str(rejects), *options)
    assert first.code == 1, first.err
    table = list(csv.DictReader(io.StringIO(rejects.read_text()), delimiter=";"))
    assert [(row["nr"], row["extra"], row["_raw"]) for row in table] == [
        ("2", "b", ""),
        ("", "", "3;third csv row;c;d"),
    ]
    text = rejects.read_text()
    for wrong, right in (
        ("2;;b", "2;second csv row;b"),
        (';;;"3;third csv row;c;d"', "3;third csv row;c;"),
    ):
        assert wrong in text
        text = text.replace(wrong, right)
    rejects.write_text(text)
    second = casebook.run("import", str(rejects), *options)
    assert second.code == 0, second.out
    assert second.json["counts"]["created"] == 2


def test_too_many_rejects_stop_an_import(casebook: Casebook, tmp_path: Path) -> None:
    """What was stored is kept and said, the rest comes when one goes on; rejects are told again."""
    source, rejects = tmp_path / "in.ndjson", tmp_path / "rejects"
    good = [{"title": f"stopped {n}", "external_id": n} for n in range(8_000)]
    rows = [{"title": "no"}] * 600 + good
    source.write_bytes(b"\n".join(orjson.dumps(row) for row in rows))
    options = (str(source), "--source", "stopped", "--rejects", str(rejects), "--json")
    stopped = casebook.run("import", *options, "--max-rejects", "500")
    assert stopped.code == 1
    assert "TOO_MANY_REJECTS" in stopped.err
    counts = stopped.json["counts"]
    assert counts["rejected"] == 600 == len(lines(rejects))
    assert counts["received"] < len(rows)
    assert f"--resume {stopped.json['id']}" in stopped.err
    resumed = casebook.run("import", *options, "--resume", stopped.json["id"])
    assert resumed.code == 1, resumed.err
    assert resumed.json["counts"]["received"] == len(rows)
    assert resumed.json["counts"]["created"] == len(good)
    assert len(lines(rejects)) == 600


def test_a_dry_run_writes_the_rejects_that_an_import_would(
    casebook: Casebook, tmp_path: Path
) -> None:
    """All of them, in the order of the source; with --max-rejects up to where it would stop."""
    source, rejects = tmp_path / "in.ndjson", tmp_path / "rejects"
    rows = [{"title": f"tried {n}" if n % 2 else "no", "external_id": n} for n in range(3_000)]
    source.write_bytes(b"\n".join(orjson.dumps(row) for row in rows))
    rejects.write_bytes(b"precious\n")
    options = ("import", str(source), "--source", "tried", "--rejects", str(rejects), "--json")
    dry = casebook.run(*options, "--dry-run")
    assert (dry.code, dry.json["counts"]["rejected"]) == (1, 1500)
    assert [row["external_id"] for row in lines(rejects)] == list(range(0, 3_000, 2))
    stopped = casebook.run(*options, "--dry-run", "--max-rejects", "300")
    assert (stopped.code, stopped.json["error"]["code"]) == (1, "TOO_MANY_REJECTS"), stopped.err
    assert (stopped.json["counts"]["received"], len(lines(rejects))) == (1000, 500)
    assert "500 of 1,000 rows" in stopped.err
    assert casebook.run(*options, "--max-rejects", "2000").json["counts"]["created"] == 1500


def test_a_file_of_rejects_stays_where_nothing_is_read(casebook: Casebook, tmp_path: Path) -> None:
    """There are no others to put in their place."""
    source, rejects = tmp_path / "in.bin", tmp_path / "rejects"
    source.write_bytes(b"\0\1\2 no text at all")
    rejects.write_bytes(b"precious\n")
    for dry in ((), ("--dry-run",)):
        done = casebook.run("import", str(source), "--rejects", str(rejects), *dry)
        assert (done.code, rejects.read_bytes()) == (2, b"precious\n"), done.err


@pytest.mark.parametrize(
    "option", [("--resume", "0" * 32), ("--save-mapping", "dry"), ("--similar",)]
)
def test_a_dry_run_refuses_what_would_write(
    casebook: Casebook, tmp_path: Path, option: tuple[str, ...]
) -> None:
    """Said, not passed over; the file for rejects stays."""
    source, rejects = tmp_path / "in.ndjson", tmp_path / "rejects"
    source.write_bytes(b'{"title": "good row"}\n')
    rejects.write_bytes(b"precious\n")
    done = casebook.run("import", str(source), "--dry-run", "--rejects", str(rejects), *option)
    assert done.code == 2
    assert f"leave out {option[0]}" in done.err
    assert rejects.read_bytes() == b"precious\n"


def test_the_file_for_rejects_is_none_that_is_read(casebook: Casebook, tmp_path: Path) -> None:
    """It would be emptied before it is read."""
    source = tmp_path / "in.ndjson"
    source.write_bytes(b'{"title": "precious row"}\n')
    done = casebook.run("import", str(source), "--rejects", str(source))
    assert done.code == 2
    assert source.read_bytes()


def test_rejects_are_read_a_page_at_a_time(http: httpx.Client) -> None:
    """In the order of the source, each once, to the last page."""
    body = b"\n".join(b'{"title": "no"}' for _ in range(1300))
    made = http.post("/v1/imports", params={"source": "pages"}, content=body)
    place, seen, cursor = f"/v1/imports/{made.json()['id']}/rejects", [], None
    while True:
        page = http.get(place, params={"limit": 500} | ({"cursor": cursor} if cursor else {}))
        seen += [reject["line"] for reject in page.json()["rejects"]]
        if (cursor := page.json()["next_cursor"]) is None:
            break
    assert seen == list(range(1, 1301))
    assert http.get(place, params={"cursor": "x.1"}).status_code == 422
    assert http.get(f"/v1/imports/{'0' * 8}-{'0000-' * 3}{'0' * 12}/rejects").status_code == 404


@pytest.mark.parametrize("most", [0, 5])
def test_too_many_rejects_over_http(http: httpx.Client, most: int) -> None:
    """The problem names the import, so that its rejects can be read."""
    body = b'{"title": "no"}\n' * 6
    done = http.post("/v1/imports", params={"max_rejects": most}, content=body)
    assert (done.status_code, done.json()["code"]) == (422, "TOO_MANY_REJECTS")
    assert done.json()["counts"]["rejected"] == 6
    assert http.get(f"/v1/imports/{done.json()['id']}/rejects").json()["rejects"]


def test_a_dry_run_over_http_stops_and_refuses_as_well(http: httpx.Client) -> None:
    """What the import would end with is in the report; there is nothing to go on with."""
    body = b"".join(b'{"title": "%s"}\n' % (b"no" if n < 700 else b"fine") for n in range(5_000))
    dry = http.post("/v1/imports", params={"max_rejects": 600, "dry_run": True}, content=body)
    assert (dry.status_code, dry.json()["error"]["code"]) == (200, "TOO_MANY_REJECTS")
    assert dry.json()["counts"]["rejected"] == 700
    assert dry.json()["counts"]["received"] == 1000
    params = {"resume": f"{'0' * 8}-{'0000-' * 3}{'0' * 12}", "dry_run": True}
    refused = http.post("/v1/imports", params=params, content=body)
    assert (refused.status_code, refused.json()["code"]) == (422, "VALIDATION_FAILED")
    assert "goes on with none" in refused.json()["detail"]


def test_columns_are_named_where_there_is_no_header(
    casebook: Casebook, http: httpx.Client, tmp_path: Path
) -> None:
    """The rejects, which have a header, are imported with the same options."""
    file, rejects = tmp_path / "db2.del", tmp_path / "rejects.csv"
    file.write_bytes(b'"S0C7 in PAYROLL","Data exception","D1",+1,\r\n"no","packed","D2",+2,\r\n')
    named = ("--source", "db2 unloads", "--columns", "title,problem,external_id,,", "--json")
    done = casebook.run("import", str(file), *named, "--rejects", str(rejects))
    counts = done.json["counts"]
    assert (counts["received"], counts["created"], counts["rejected"]) == (2, 1, 1), done.err
    rejects.write_text(rejects.read_text().replace("no,", "S0C4 in PAYROLL,", 1))
    done = casebook.run("import", str(rejects), *named)
    counts = done.json["counts"]
    assert (counts["received"], counts["created"]) == (1, 1), done.err
    params = {"columns": "title,problem,external_id,,", "source": "db2 unloads", "dry_run": True}
    told = http.post("/v1/imports", params=params, content=file.read_bytes()).json()
    assert (told["counts"]["unchanged"], told["counts"]["rejected"]) == (1, 1), told
