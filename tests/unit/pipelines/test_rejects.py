"""Rejected rows as their source had them, in files that can be imported."""

import csv
import gzip
import io
from pathlib import Path

import orjson
import pytest

from contracts.errors import RejectsUnwritable
from contracts.imports import Reject
from contracts.mappings import Shape
from pipelines.chunks import SOURCE_BYTES, cut
from pipelines.formats.rows import Reading, read
from pipelines.formats.source import Found, SourceRow
from pipelines.rejects import RejectsFile


def found(name: str, data: bytes) -> list[Found]:
    """What a source of these bytes holds."""
    return list(read(io.BytesIO(data), name, Reading(), []))


def rejected(path: Path, sources: list[Found], lines: set[int]) -> RejectsFile:
    """The file after the rows on these lines were rejected."""
    file = RejectsFile(path)
    rejects = [
        Reject(file=one.file, line=one.line, field="title", code="MISSING", message="is missing")
        for one in sources
        if one.line in lines
    ]
    file.add(0, sources, rejects)
    return file


def test_ndjson_is_written_as_the_source_had_it(tmp_path: Path) -> None:
    """All fields from before the mapping, and why; a line that is no JSON is kept as text."""
    path = tmp_path / "out"
    sources = found("a.ndjson", b'{"code": 1, "text": "x"}\n{"code": 2}\n{"code": 3,, \xff}\n')
    file = rejected(path, sources, {1, 3})
    first, second = (orjson.loads(line) for line in path.read_bytes().splitlines())
    why = {"file": "a.ndjson", "field": "title", "code": "MISSING", "message": "is missing"}
    assert first == {"code": 1, "text": "x", "_reject": why | {"line": 1}}
    assert second == {"_raw": '{"code": 3,, \\xff}', "_reject": why | {"line": 3}}
    assert (file.count, file.files) == (2, (path,))


def test_csv_keeps_its_header_and_delimiter(tmp_path: Path) -> None:
    """Cells stand where they stood; a ragged record keeps its text in `_raw`."""
    path = tmp_path / "out.csv"
    sources = found("a.csv", b'id;title;note\n1;;"a;\nb"\n2;two\n3;three;c\n')
    rejected(path, sources, {3, 4})
    rows = list(csv.reader(io.StringIO(path.read_text(), newline=""), delimiter=";"))
    assert rows[0] == ["id", "title", "note", "_raw", "_reject"]
    assert rows[1][:4] == ["1", "", "a;\nb", ""]
    assert rows[2][:4] == ["", "", "", "2;two"]
    assert [orjson.loads(row[4])["line"] for row in rows[1:]] == [3, 4]


def test_a_delimiter_that_would_not_be_found_out_is_said(tmp_path: Path) -> None:
    """The file for rejects is read as it is written, with a mark in front too."""
    sources = found("a.csv", b"sep=^\nid^title\n1^good\n2^no^cell\n3^x\n")
    why = [Reject(file="a.csv", line=line, code="MISSING", message="no") for line in (4, 5)]
    for mark in (False, True):
        path = tmp_path / "out"
        RejectsFile(path, mark=mark).add(0, sources, why)
        again = found("out", path.read_bytes())
        data = [one.data for one in again if isinstance(one, SourceRow)]
        assert [(row.get("id"), row.get("_raw")) for row in data] == [
            (None, "2^no^cell"),
            ("3", None),
        ]


def test_rows_stand_in_the_order_of_their_source(tmp_path: Path) -> None:
    """Whoever refused them, and in whatever order they are told."""
    path = tmp_path / "out"
    sources = found("a.ndjson", b'{"n": 1}\n{bad\n{"n": 3}\n{worse\n')
    why = [Reject(file="a.ndjson", line=n, code="NO", message="no") for n in (4, 2, 3, 1)]
    RejectsFile(path).add(0, sources, why)
    lines = [orjson.loads(line)["_reject"]["line"] for line in path.read_bytes().splitlines()]
    assert lines == [1, 2, 3, 4]


def test_chunks_stand_in_the_order_of_their_source_in_the_end(tmp_path: Path) -> None:
    """They come as they are answered: all are there at once, and in order when that is asked for.
    Files of other shapes are put in order by themselves, behind their headers."""
    path = tmp_path / "out.csv"
    path.touch(0o640)
    file = RejectsFile(path)
    table = b"id,name\n" + b"".join(b"%d,row %d\n" % (n, n) for n in range(6))
    rows = list(enumerate(found("a.csv", table)))
    texts = b"".join(b'{"id": %d}\n' % n for n in range(6))
    for number, row in [*rows[4:], *rows[:2], *rows[2:4]]:
        _add(file, number, row)
    for number, row in reversed(list(enumerate(found("b.ndjson", texts), 6))):
        _add(file, number, row)

    def ids() -> tuple[list[int], list[int]]:
        csv_, ndjson = (one.read_bytes().splitlines() for one in file.files)
        assert csv_[0].startswith(b"id,name,_raw,_reject")
        return [int(one[:1]) for one in csv_[1:]], [orjson.loads(one)["id"] for one in ndjson]

    assert ids() == ([4, 5, 0, 1, 2, 3], [5, 4, 3, 2, 1, 0])
    for _ in range(2):
        file.sort()
        assert ids() == ([0, 1, 2, 3, 4, 5], [0, 1, 2, 3, 4, 5])
    assert path.stat().st_mode & 0o777 == 0o640
    assert {one.name for one in tmp_path.iterdir()} == {"out.csv", "out.csv.2.ndjson"}


def _add(file: RejectsFile, number: int, row: Found) -> None:
    reject = Reject(file=row.file, line=row.line, code="MISSING", message="is missing")
    file.add(number, [row], [reject])


def test_a_source_of_another_shape_has_a_file_of_its_own(tmp_path: Path) -> None:
    """Rows under one header never stand under another."""
    path = tmp_path / "out"
    file = rejected(path, found("a.csv", b"id,title\n1,\n"), {2})
    for name, data in (("b.csv", b"id,name\n1,\n"), ("c.json", b'[{"id": 1}]')):
        sources = found(name, data)
        reject = Reject(file=name, line=sources[0].line, code="MISSING", message="no")
        file.add(0, sources, [reject])
    assert [one.name for one in file.files] == ["out", "out.2.csv", "out.3.ndjson"]
    assert all(one.stat().st_size for one in file.files)


BULK = b"""{"index": {"_id": "B1"}}
{"title": "good one"}
{"index": {"_id": "B2"}}
{"title": "bulk two" BAD}
{"update": {"_id": "B3"}}
{"doc": {"title": "three"}}
{"delete": {"_id": "B4"}}
{"index": {"_index": "nameless"}}
{"title": BAD}
{"index": {"_id": 5}}
"""


def test_a_bulk_keeps_its_actions(tmp_path: Path) -> None:
    """Each rejected row has its action's line and `_id`; mended, it is about the same entry."""
    path = tmp_path / "out"
    (chunk,) = cut(found("bulk.ndjson", BULK), Shape(), keep=True)
    assert chunk.named == ["B2", "B3", "B4", "5"], "what a replace leaves as it is"
    RejectsFile(path).add(0, chunk.sources, chunk.rejects)
    rows = [orjson.loads(line) for line in path.read_bytes().splitlines()]
    assert [(row.get("_id"), row["_raw"]) for row in rows] == [
        ("B2", '{"index": {"_id": "B2"}}\n{"title": "bulk two" BAD}'),
        ("B3", '{"update": {"_id": "B3"}}\n{"doc": {"title": "three"}}'),
        ("B4", '{"delete": {"_id": "B4"}}'),
        (None, '{"index": {"_index": "nameless"}}\n{"title": BAD}'),
        (5, '{"index": {"_id": 5}}'),
    ]
    (again,) = cut(found("out", path.read_bytes()), Shape())
    assert [one.code for one in again.rejects] == ["ROW_UNREADABLE"] * 5
    assert again.named == chunk.named
    mended = b"\n".join(orjson.dumps(row | {"title": "mended"}) for row in rows)
    (whole,) = cut(found("out", mended), Shape())
    data = [orjson.loads(orjson.dumps(row))["data"] for row in whole.rows]
    assert [row.get("external_id") for row in data] == ["B2", "B3", "B4", None, 5]


def test_an_action_names_an_entry_only_where_its_id_does() -> None:
    """Where the mapping takes external ids from elsewhere, a document that is not read has none."""
    for path, names in (("nr", []), ("_id", ["B2", "B3", "B4", "5"]), ("{_id}-{nr}", [])):
        shape = Shape(mapping={"external_id": path})
        (chunk,) = cut(found("bulk.ndjson", BULK), shape)
        assert chunk.named == names, path


def test_a_file_and_its_packed_twin_are_told_apart(tmp_path: Path) -> None:
    """`a.ndjson` beside `a.ndjson.gz`, in one chunk: the row that is written is the bad one."""
    path = tmp_path / "out"
    good = found("a.ndjson", b'{"id": "good"}\n')
    bad = found("a.ndjson.gz", gzip.compress(b'{"id": "bad"}\n'))
    (chunk,) = cut([*good, *bad], Shape(), keep=True)
    sent = orjson.loads(orjson.dumps(chunk.rows))[1]
    reject = Reject(file=sent["file"], line=sent["line"], code="MISSING", message="no")
    RejectsFile(path).add(0, chunk.sources, [reject])
    assert orjson.loads(path.read_bytes())["id"] == "bad"


def test_what_was_there_is_replaced(tmp_path: Path) -> None:
    """An import that goes on is told of all its rejects again; none of them is there twice."""
    path = tmp_path / "out"
    for _ in range(2):
        rejected(path, found("a.ndjson", b'{"id": 1}\n'), {1})
    assert len(path.read_bytes().splitlines()) == 1
    RejectsFile(path).add(0, [], [])
    assert path.read_bytes() == b""


def test_what_was_there_stays_until_a_chunk_is_answered(tmp_path: Path) -> None:
    """An import that does not get so far has no rejects to put in its place."""
    path = tmp_path / "out"
    path.write_bytes(b"precious\n")
    file = RejectsFile(path)
    assert path.read_bytes() == b"precious\n"
    file.begin()
    assert path.read_bytes() == b""


def test_a_file_that_can_not_be_written_is_said(tmp_path: Path) -> None:
    """Before anything is imported."""
    with pytest.raises(RejectsUnwritable):
        RejectsFile(tmp_path / "no" / "folder")


def test_why_a_row_was_rejected_is_no_part_of_it() -> None:
    """`_reject` is passed over; `_raw` alone is still unread, beside a mended row it is nothing."""
    why = {"code": "MISSING"}
    rows: list[Found] = [
        SourceRow("f", 1, {"title": "mended", "_reject": why}),
        SourceRow("f", 2, {"title": "mended", "_raw": "old", "_reject": why}),
        SourceRow("f", 3, {"_raw": "{", "_reject": why}),
    ]
    (chunk,) = cut(rows, Shape())
    assert [orjson.loads(orjson.dumps(row))["data"] for row in chunk.rows] == [
        {"title": "mended"},
        {"title": "mended"},
    ]
    assert [(one.line, one.field, one.code) for one in chunk.rejects] == [
        (3, "_raw", "ROW_UNREADABLE")
    ]


def test_kept_rows_are_bounded_whatever_the_mapping_leaves() -> None:
    """Chunks are the same with and without rejects to be written, and never hold much source."""
    shape = Shape(mapping={"title": "a"})
    rows: list[Found] = [SourceRow("f", n, {"a": "text"}, size=SOURCE_BYTES // 3) for n in range(9)]
    kept = [len(chunk) for chunk in cut(rows, shape, keep=True)]
    assert kept == [len(chunk) for chunk in cut(rows, shape)] == [3, 3, 3]
