"""Packed sources: told by their first bytes, whole, in members, cut, damaged, and bombs."""

import bz2
import functools
import gzip
import io
import lzma
import sys
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest

from contracts.errors import UnsupportedFormat
from contracts.imports import Reject
from pipelines.formats.compression import unpacked
from pipelines.formats.rows import Reading, read
from pipelines.formats.source import Ahead, SourceRow
from tests.unit.pipelines.reading import codes, found, rows, titles

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

Pack = Callable[[bytes], bytes]


def xz(data: bytes) -> bytes:
    """Packed as quickly as xz can."""
    return lzma.compress(data, preset=0)


def zst(data: bytes) -> bytes:
    """Packed with a checksum, as the zstd command does."""
    options: Any = {zstd.CompressionParameter.checksum_flag: 1}
    return bytes(zstd.compress(data, options=options))


PACKS = [gzip.compress, bz2.compress, xz, zst]
LINES = [b'{"title": "row %d", "problem": "%x"}\n' % (n, n * 7919**5) for n in range(40_000)]


@functools.cache
def packed_lines(pack: Pack) -> bytes:
    """All LINES, packed."""
    return pack(b"".join(LINES))


@pytest.mark.parametrize("pack", PACKS)
def test_packed_sources_are_read(pack: Pack) -> None:
    """Whatever the name says, the first bytes tell."""
    assert len(rows(packed_lines(pack))) == len(LINES)
    assert rows(pack(b"title;problem\na;b\n"), "rows.bin") == [{"title": "a", "problem": "b"}]
    assert found(pack(b"")) == []


@pytest.mark.parametrize("pack", PACKS)
def test_members_follow_one_another(pack: Pack) -> None:
    """Packed files put together are one source, also with zeros in between."""
    one, two = pack(b'{"title": "one"}\n'), pack(b'{"title": "two"}\n')
    assert titles(one + two) == ["one", "two"]
    assert titles(one + b"\0" * 512 + two + b"\0" * 512) == ["one", "two"]


@pytest.mark.parametrize("pack", PACKS)
def test_a_cut_source_keeps_what_came_before(pack: Pack) -> None:
    """The whole rows before the cut are rows; the cut is one reject with the next line's number."""
    whole = packed_lines(pack)
    *taken, last = found(whole[: len(whole) * 2 // 3])
    assert taken == found(b"".join(LINES))[: len(taken)]
    # bz2 has whole blocks only; the other three give nearly all that was there.
    assert len(taken) > (0 if pack is bz2.compress else len(LINES) // 3)
    assert (last.code, last.line) == ("SOURCE_CUT_SHORT", len(taken) + 1)  # type: ignore[union-attr]


@pytest.mark.parametrize("pack", PACKS)
@pytest.mark.parametrize("where", [0.02, 0.5, 0.999])
def test_a_damaged_source_ends_in_a_reject(pack: Pack, where: float) -> None:
    """Wrong bytes in the middle are found, and nothing is raised."""
    whole = bytearray(packed_lines(pack))
    place = int(len(whole) * where)
    whole[place : place + 4] = bytes(byte ^ 0xFF for byte in whole[place : place + 4])
    try:
        assert codes(bytes(whole))
    except UnsupportedFormat:
        assert where < 0.1  # nothing readable came before


@pytest.mark.parametrize("pack", PACKS)
def test_what_follows_packed_data_is_said(pack: Pack) -> None:
    """Other bytes behind the packed ones are a reject, not lost in silence."""
    assert titles(pack(b'{"title": "one"}\n') + b"more") == ["one", "SOURCE_CUT_SHORT"]


@pytest.mark.parametrize("form", [b"%s\n%s\n", b"[%s,%s]"], ids=["lines", "array"])
@pytest.mark.parametrize("pack", PACKS)
def test_a_bomb_costs_time_not_memory(pack: Pack, form: bytes) -> None:
    """50 MB of one letter, packed into little, are read in pieces."""
    bomb = pack(form % (b'{"title": "' + b"x" * 50_000_000 + b'"}', b'{"title": "after"}'))
    tracemalloc.start()
    try:
        given = [getattr(one, "code", None) for one in read(io.BytesIO(bomb), "b", Reading(), [])]
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert given == ["ROW_TOO_LARGE", None]
    assert most < 20_000_000


def test_a_short_source_that_was_cut_keeps_its_rows() -> None:
    """The cut lies within what is looked at first: what came before it is read all the same."""
    packed = gzip.compress(b'{"title": "one"}\n{"title": "two"}\n')
    assert titles(packed[:-8]) == ["one", "two", "SOURCE_CUT_SHORT"]


def test_a_packed_name_tells_what_is_in_it() -> None:
    """The extension before `.gz` says what it holds; `rows.csv` may be another file beside it."""
    (row,) = found(gzip.compress(b"title\none\n"), "rows.csv.gz")
    assert row.file == "rows.csv.gz"
    (row,) = found(gzip.compress(b"---\ntitle: one\n---\n"), "kb/one.MD.GZ")
    assert isinstance(row, SourceRow)
    assert (row.file, row.data["external_id"]) == ("kb/one.MD.GZ", "kb/one")


def test_a_stream_that_wants_too_much_memory_is_refused() -> None:
    """A window of 2 GiB is named, not allocated."""
    options: Any = {
        zstd.CompressionParameter.window_log: 30,
        zstd.CompressionParameter.enable_long_distance_matching: 1,
    }
    packer = zstd.ZstdCompressor(options=options)
    packed = packer.compress(b'{"title": "one"}\n') + packer.flush()
    assert titles(packed) == ["SOURCE_CUT_SHORT"]
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 9, "dict_size": 1 << 30}]
    assert titles(lzma.compress(b'{"title": "one"}\n', filters=filters)) == ["SOURCE_CUT_SHORT"]
    assert titles(lzma.compress(b'{"title": "one"}\n', preset=9)) == ["one"]


def test_only_one_layer_is_taken_off() -> None:
    """Packed twice is not text."""
    with pytest.raises(UnsupportedFormat):
        found(gzip.compress(gzip.compress(b'{"title": "one"}\n' * 1000)))


def test_bytes_come_through_pipes_one_by_one() -> None:
    """A source that gives a byte at a time is the same source."""

    class Trickle(io.RawIOBase):
        def __init__(self, data: bytes) -> None:
            self.data = io.BytesIO(data)

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: Any) -> int:
            return self.data.readinto(memoryview(buffer)[:1])

    data = zstd.compress(b'[{"title": "one"}, {"title": "t\xc3\xb6"}]')
    given = [one.data for one in read(Trickle(data), "t", Reading(), [])]  # type: ignore[union-attr]
    assert given == [{"title": "one"}, {"title": "tö"}]
    plain = Ahead(Trickle(b"plain"))
    assert unpacked(plain) is plain


@pytest.mark.parametrize("pack", PACKS)
@pytest.mark.parametrize("garbage", [b"x", b"garbage" * 40_000])
def test_what_stands_behind_the_end_is_told(pack: Pack, garbage: bytes) -> None:
    """All rows are read; that the packed data is whole is said, and that something follows."""
    *given, reject = found(pack(LINES[0] + LINES[1]) + garbage)
    assert len(given) == 2
    assert isinstance(reject, Reject)
    assert reject.code == "SOURCE_CUT_SHORT"
    assert "behind the end of the" in reject.message
