"""Entries that a file names."""

import csv
import gzip
import lzma
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import pytest

from commands import named
from commands.base import Failure
from commands.named import selections

ONE, TWO = (UUID(int=n) for n in (1, 2))


def write(tmp_path: Path, text: str) -> Path:
    """A file of that text."""
    path = tmp_path / "ids.txt"
    path.write_bytes(text.encode())
    return path


def test_ids_and_external_ids_go_apart(tmp_path: Path) -> None:
    """Plain lines and NDJSON; an id of ours goes before the row's external one."""
    text = (
        f'\ufeff{ONE}\n\nn 0\n{{"external_id": "n1"}}\n{{"external_id": 7}}\r\n'
        f'{{"id": "{TWO}", "external_id": "n2"}}\n{{"_id": "n3", "title": "t"}}\n{{"id": 4}}\n'
        f'{{"external_id": "{ONE}"}}\n'
    )
    assert list(selections((TWO,), write(tmp_path, text), "nn")) == [
        {"ids": (str(TWO), str(ONE), str(TWO))},
        {"external_ids": ("n 0", "n1", "7", "n3", "4", str(ONE))},
    ]


def test_a_byte_order_mark_is_passed_over(tmp_path: Path) -> None:
    """Windows editors write one."""
    assert list(selections((), write(tmp_path, f"\ufeff{ONE}"), None)) == [{"ids": (str(ONE),)}]


def test_a_file_of_nothing_names_no_entry(tmp_path: Path) -> None:
    """And no condition is left out for it."""
    assert list(selections((), write(tmp_path, "\ufeff\n\n"), "nn")) == []


@pytest.mark.parametrize(
    "text",
    [
        f'["{ONE}", "n0", 7, {{"external_id": "n, 1"}}]',
        f'[\n{{"id": "{ONE}"}},\n{{"id": "n0"}},\n{{"_id": 7}}, {{"external_id": "n, 1"}}\n]\n',
        f'{ONE}\nn0\n"7"\n"n, 1"\n',
        f'\ufeff"{ONE}"\r\n"n0"\r\n"7"\r\nn, 1\r\n',
        f'title;id\nt;{ONE}\n"a;b";n0\n;7\n;n, 1\n',
        f'id, external_id\n{ONE}, n9\n,n0\n,7\n,"n, 1"\n',
    ],
)
@pytest.mark.parametrize("pack", [bytes, gzip.compress, lzma.compress])
def test_a_file_of_any_shape(tmp_path: Path, text: str, pack: Callable[[bytes], bytes]) -> None:
    """JSON, a CSV with a header, quotes; packed or not."""
    path = tmp_path / "ids"
    path.write_bytes(pack(text.encode()))
    found = list(selections((), path, "nn"))
    assert found == [{"ids": (str(ONE),)}, {"external_ids": ("n0", "7", "n, 1")}]


def test_a_column_of_external_ids_has_no_other(tmp_path: Path) -> None:
    """Though one of them looks like an id of ours."""
    path = write(tmp_path, f'"external_id"\n"{ONE}"\n"n0"\n')
    assert list(selections((), path, "nn")) == [{"external_ids": (str(ONE), "n0")}]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'["a", true]', "item 2: true is no id"),
        (b'["a", ""]', "item 2 has no id"),
        (b'["a", ', "begins as an array, and is no JSON"),
        (b'"a","b"\n', "line 1: .* is no one id. .*external_id"),
        (b"id,title\n,t\n", "line 2: .* has no id"),
        (b"id\n" + b"x" * 200_000 + b"\n", "line 2: field larger"),
        (b"caf\xe9\n", "is no text in UTF-8: see its byte 4"),
        (gzip.compress(b"a\n" * 99, mtime=0)[:-12], "ends in the middle"),
    ],
)
def test_a_file_that_is_none_is_told(tmp_path: Path, content: bytes, said: str) -> None:
    """Before anything is changed, and where it is wrong."""
    path = tmp_path / "ids"
    path.write_bytes(content)
    before = csv.field_size_limit(131_072)  # an import in the same process has raised it
    try:
        with pytest.raises(Failure, match=said):
            list(selections((), path, "nn"))
    finally:
        csv.field_size_limit(before)


@pytest.mark.parametrize(
    ("line", "source", "said"),
    [
        ('{"external_id": "n0"}', None, "line 2: 'n0' is no id of an entry.*--source"),
        ("n0", None, "line 2: 'n0' is no id of an entry.*--source"),
        ('{"title": "t"}', "nn", "line 2: .* has no id"),
        ('{"external_id": "n0"', "nn", "line 2: .* is no JSON"),
    ],
)
def test_a_line_that_names_nothing_is_told(
    tmp_path: Path, line: str, source: str | None, said: str
) -> None:
    """Before anything is changed."""
    with pytest.raises(Failure, match=said):
        next(selections((), write(tmp_path, f"{ONE}\n{line}\n"), source))


def test_long_lists_are_cut_by_number_and_by_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each portion travels in one message; none is lost."""
    path = write(tmp_path, "\n".join(f"number-{n}" for n in range(9)))
    monkeypatch.setattr(named, "IDS_MAX", 4)
    found = [one["external_ids"] for one in selections((), path, "nn")]
    assert [len(one) for one in found] == [4, 4, 1]
    monkeypatch.setattr(named, "BYTES_MAX", 33)  # of three: "number-0" and a comma are 11
    found = [one["external_ids"] for one in selections((), path, "nn")]
    assert [len(one) for one in found] == [3, 3, 3]
    assert sum(found, ()) == tuple(f"number-{n}" for n in range(9))
