"""What an import that is gone on with must be given."""

from datetime import UTC, datetime

import pytest

from contracts.base import new_id
from contracts.errors import ImportOtherwise
from contracts.imports import ImportCounts, ImportReport
from pipelines.importing import refuse_fewer


def begun(*files: str, count: int = 0) -> ImportReport:
    """An open import of these files."""
    return ImportReport(
        id=new_id(),
        source="s",
        files=files,
        file_count=count or len(files),
        status="open",
        counts=ImportCounts(received=1500),
        chunks=3,
        started_at=datetime.now(UTC),
    )


def test_all_files_are_needed() -> None:
    """More may be there, and in whatever order: their rows are compared."""
    known = begun("a", "b", "c")
    for given in ("abc", "abcd", "cab"):
        refuse_fewer(given, known)
    with pytest.raises(ImportOtherwise, match="begun with 3 files, and these are 2 without b") as e:
        refuse_fewer("ac", known)
    assert "The 1,500 rows that it has read are kept" in e.value.message
    assert (e.value.details["missing"], e.value.details["file_count"]) == (["b"], 3)
    with pytest.raises(ImportOtherwise, match="without a, c"):
        refuse_fewer("xby", known)
    with pytest.raises(ImportOtherwise):
        refuse_fewer("x", begun("-"))


def test_files_that_are_not_named_are_counted() -> None:
    """An import keeps the names of some; an old one knows only its first."""
    many = [str(n) for n in range(1200)]
    known = begun(*many[:1000], count=1200)
    refuse_fewer(many, known)
    with pytest.raises(ImportOtherwise, match=r"begun with 1,200 files, and these are 1,199\. "):
        refuse_fewer(many[:-1], known)
    refuse_fewer(many, begun(*many[:1]))
    refuse_fewer(many[:1], begun(*many[:1]).model_copy(update={"file_count": 0}))
