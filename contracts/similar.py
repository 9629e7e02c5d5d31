"""Near duplicates: of an import's entries, the most similar other one."""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from contracts.base import Contract, Write

NEAR = 0.8  # from this similarity on two entries are called near duplicates


class FindSimilar(Write):
    """Look for the most similar other entry of each that an import has created or changed."""

    import_id: UUID


class FindingStarted(Contract):
    """The entries are chosen; the task compares them."""

    task: UUID
    count: int


class CompareSelected(Contract):
    """One turn of a task that compares entries, once the index has reached `after`."""

    task: UUID
    import_id: UUID
    after: str | None = None


class SimilarFound(Contract):
    """What was compared, and how many entries have a near duplicate (NEAR)."""

    compared: int = 0
    near: int = 0


class GetSimilar(Contract):
    """Read what was found for an import, the most similar first."""

    id: UUID
    minimum: Annotated[float, Field(ge=0, le=1)] = 0.0
    limit: Annotated[int, Field(ge=1, le=500)] = 50
    offset: Annotated[int, Field(ge=0)] = 0


class SimilarEntry(Contract):
    """An entry of the import and the most similar other one; `similarity` is 0 to 1."""

    entry_id: UUID
    title: str
    other_id: UUID
    other_title: str
    other_source: str
    similarity: float


class SimilarPage(Contract):
    """One page; `next_offset` is None on the last."""

    pairs: tuple[SimilarEntry, ...]
    next_offset: int | None = None
