"""Reading rows: what is read, what is rejected, and why."""

import gzip
import io
import tarfile
from typing import Any

import pytest

from contracts.errors import UnsupportedFormat
from contracts.imports import ROW_BYTES, Reject
from pipelines.formats.rows import Reading, read
from pipelines.formats.source import Found, SourceRow
from tests.unit.pipelines.reading import titles


def found(data: bytes, name: str = "rows", kind: Any = "auto") -> list[Found]:
    """Everything in `data`."""
    return list(read(io.BytesIO(data), name, Reading(kind), []))


def rows(data: bytes, name: str = "rows") -> list[dict[str, Any]]:
    """The rows in `data`, which must have no rejects."""
    read_rows = []
    for one in found(data, name):
        assert isinstance(one, SourceRow), one
        read_rows.append(one.data)
    return read_rows


def codes(data: bytes, name: str = "rows") -> list[tuple[int, str]]:
    """Line and code of each reject in `data`."""
    return [(one.line, one.code) for one in found(data, name) if isinstance(one, Reject)]


@pytest.mark.parametrize(
    "data",
    [
        b'{"title": "one"}\n{"title": "two"}\n',
        b'\xef\xbb\xbf{"title": "one"}\n\n{"title": "two"}',
        b'[{"title": "one"}, {"title": "two"}]',
        b"title\none\ntwo\n",
        b"title;problem\r\none;\r\ntwo;\r\n",
        "title\none\ntwo\n".encode("utf-16"),
        gzip.compress(b'{"title": "one"}\n{"title": "two"}\n', mtime=0),
    ],
)
def test_each_format_is_found_out(data: bytes) -> None:
    """The same two rows come from every format, without being told which it is."""
    name = "rows.csv" if data.startswith(b"title\n") else "rows"
    assert rows(data, name) == [{"title": "one"}, {"title": "two"}]


def test_quoted_newlines_and_delimiters_stay_in_their_cell() -> None:
    """A quoted cell keeps its newlines, delimiters and doubled quotes."""
    data = b'title,problem\n"one","a, b\nc ""d"""\n'
    assert rows(data) == [{"title": "one", "problem": 'a, b\nc "d"'}]


def test_a_bad_line_does_not_stop_the_others() -> None:
    """Each unreadable NDJSON line is a reject with its number; its neighbours are rows."""
    data = b'{"title": "one"}\nnot json\n[1]\n"text"\n{"title": "\\ud800"}\n{"title": "two"}\n'
    assert codes(data) == [
        (2, "JSON_UNREADABLE"),
        (3, "NOT_AN_OBJECT"),
        (4, "NOT_AN_OBJECT"),
        (5, "JSON_UNREADABLE"),
    ]
    assert sum(isinstance(one, SourceRow) for one in found(data)) == 2


def test_a_line_of_ten_megabytes_is_rejected_and_skipped() -> None:
    """An endless line is rejected with its beginning, and the next line is read."""
    long = b'{"title": "' + b"x" * 10_000_000 + b'"}\n'
    one, two = found(long + b'{"title": "two"}\n')
    assert isinstance(one, Reject)
    assert (one.line, one.code) == (1, "ROW_TOO_LARGE")
    assert len(one.row) < 10_000
    assert isinstance(two, SourceRow)
    assert two.line == 2


def test_ragged_records_are_rejected() -> None:
    """A record with more or fewer cells than the header says so."""
    assert codes(b"title,problem\none\ntwo,b,c\nthree,d\n") == [
        (2, "CSV_RAGGED"),
        (3, "CSV_RAGGED"),
    ]


def test_a_broken_array_keeps_what_came_before() -> None:
    """Where a JSON array breaks, the rows before it are kept and the break is one reject."""
    assert codes(b'[{"title": "one"}, {"title": ') == [(2, "JSON_UNREADABLE")]
    assert len(found(b'[{"title": "one"}, {"title": ')) == 2


def test_a_truncated_gzip_file_keeps_what_came_before() -> None:
    """A gzip file that was cut short gives its whole rows, then a reject."""
    whole = gzip.compress(b"".join(b'{"title": "row %d"}\n' % n for n in range(100_000)))
    read_until_cut = found(whole[: len(whole) // 2])
    last = read_until_cut[-1]
    assert isinstance(last, Reject)
    assert last.code in ("SOURCE_CUT_SHORT", "JSON_UNREADABLE")
    assert isinstance(read_until_cut[0], SourceRow)


@pytest.mark.parametrize("data", [b"\x00\x01\x02binary", b"\x89PNG\r\n\x1a\n\x00\x00"])
def test_binary_files_are_refused(data: bytes) -> None:
    """A binary file is refused as a whole, before any row."""
    with pytest.raises(UnsupportedFormat):
        found(data)


def test_an_archive_is_named_as_such() -> None:
    """A Meilisearch dump is a tar: the error says what of it to import."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        archive.addfile(tarfile.TarInfo("metadata.json"))
    for data in (packed.getvalue(), gzip.decompress(packed.getvalue())):
        with pytest.raises(UnsupportedFormat, match=r"is a tar archive.*documents\.jsonl"):
            found(data, "x.dump")


def test_prose_is_refused() -> None:
    """A text that is in none of the formats is refused, showing how it starts."""
    with pytest.raises(UnsupportedFormat) as refused:
        found(b"just some words\nand more\n")
    assert refused.value.details["starts_with"].startswith("just some")


@pytest.mark.parametrize("name", ["rows", "rows.ndjson", "rows.json", "rows.csv"])
def test_an_empty_file_has_no_rows(name: str) -> None:
    """An empty file is an import of nothing."""
    assert found(b"", name) == []


def test_markdown_is_one_entry() -> None:
    """Front matter and sections become fields; the file's place names it."""
    text = (
        b"---\ntitle: S0C7 it is\ntags: [abend]\n---\n\n"
        b"## Problem\n\nSeen.\n\n## Solution\n\n1. Mend.\n"
    )
    assert rows(text, "kb/batch/s0c7.md") == [
        {
            "title": "S0C7 it is",
            "tags": ["abend"],
            "problem": "Seen.",
            "solution": "1. Mend.",
            "external_id": "batch/s0c7",
        }
    ]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (b"no front matter", 1),
        (b"---\n: [\n---\n", 2),
        (b"---\n- a\n---\n", 2),
        (b"---\na: b\n---\nstray\n", 4),
    ],
)
def test_broken_markdown_is_rejected(text: bytes, line: int) -> None:
    """Markdown without readable front matter, or with stray text, is a reject at its line."""
    assert codes(text, "x.md") == [(line, "MARKDOWN_UNREADABLE")]


def test_a_cell_that_is_too_large_is_rejected() -> None:
    """A CSV cell over the limit is a reject, not a crash."""
    data = b"title,problem\none," + b"x" * (ROW_BYTES + 10) + b"\ntwo,b\n"
    assert codes(data)[0][1] == "CSV_UNREADABLE"


def test_objects_one_after_the_other_are_told() -> None:
    """On one line: no line is an object. A line that is wrong stays the only one, though."""
    several = b'{"title": "one"}{"title": "two"} {"title": "three"}{"title": "four"}'
    for name in ("rows.json", "rows"):
        assert rows(several, name) == [
            {"title": title} for title in ("one", "two", "three", "four")
        ]
    lines = b'{"title": "one"}{"title": "two"}\n{"title": "three"}\n'
    assert len(rows(lines, "rows.json")) == 3
    assert titles(lines, "rows.ndjson") == ["JSON_UNREADABLE", "three"]
    assert titles(b'{"title": "one"}, rubbish\n{"title": "two"}\n', "rows") == [
        "JSON_UNREADABLE",
        "two",
    ]
