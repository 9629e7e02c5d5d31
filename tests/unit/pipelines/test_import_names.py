"""The names of its files that an import keeps."""

from pipelines.importing import _kept


def test_the_first_names_are_kept() -> None:
    """A thousand, or fewer where they are long: they travel in one message."""
    names = [f"{n:04}" for n in range(1500)]
    assert list(_kept(names)) == names[:1000]
    assert len(_kept(["é" * 1024] * 500)) == 128
    assert _kept(()) == ()
