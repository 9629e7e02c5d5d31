"""Values as bytes: whole, or a miss."""

from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.cache import codec
from storage.cache.codec import Corrupt, Outdated
from storage.cache.layer import Kept

SCALARS = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=20)
VALUES = st.builds(
    Kept,
    body=st.binary(max_size=60) | st.binary(min_size=4, max_size=8).map(lambda piece: piece * 300),
    position=st.text(max_size=30),
    made_at=st.floats(0, 4e9),
    tags=st.lists(st.text(max_size=10), max_size=3).map(tuple),
    meta=st.dictionaries(st.text(max_size=10), SCALARS, max_size=4).map(MappingProxyType),
)


@given(VALUES)
def test_what_goes_in_comes_out(kept: Kept) -> None:
    """Any value comes back as it was."""
    assert codec.decode(codec.encode(kept)) == kept


@given(VALUES, st.data())
def test_a_damaged_byte_is_noticed(kept: Kept, data: st.DataObject) -> None:
    """Whichever byte of a frame changes to whatever: no value comes of it."""
    frame = bytearray(codec.encode(kept))
    place = data.draw(st.integers(0, len(frame) - 1))
    frame[place] ^= data.draw(st.integers(1, 255))
    with pytest.raises((Corrupt, Outdated)):
        codec.decode(bytes(frame))


@given(VALUES, st.data())
def test_a_cut_frame_is_noticed(kept: Kept, data: st.DataObject) -> None:
    """However much of a frame's end is lost: no value comes of it."""
    frame = codec.encode(kept)
    with pytest.raises(Corrupt):
        codec.decode(frame[: data.draw(st.integers(0, len(frame) - 1))])


@given(st.binary(max_size=200))
def test_any_other_bytes_are_no_value(junk: bytes) -> None:
    """What somebody else wrote is corrupt, and nothing else is raised."""
    with pytest.raises((Corrupt, Outdated)):
        codec.decode(junk)


def test_another_version_is_told_from_damage(monkeypatch: pytest.MonkeyPatch) -> None:
    """A frame of an older release's format is outdated, not corrupt."""
    monkeypatch.setattr(codec, "VERSION", codec.VERSION - 1)
    frame = codec.encode(Kept(b"old"))
    monkeypatch.undo()
    with pytest.raises(Outdated):
        codec.decode(frame)


def test_large_bodies_are_packed() -> None:
    """Text above the bound takes less room; short text stays as it is."""
    assert len(codec.encode(Kept(b'{"title": "S0C7"}' * 1000))) < 1000
    assert b"short" in codec.encode(Kept(b"short"))


def test_what_unpacks_beyond_the_bound_is_corrupt(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few bytes that would become very many are not unpacked to their end."""
    frame = codec.encode(Kept(b"\0" * 100_000))
    monkeypatch.setattr(codec, "MAX_BODY", 50_000)
    with pytest.raises(Corrupt):
        codec.decode(frame)
