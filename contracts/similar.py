"""What is like an entry or a text; and of an import's entries, the most similar other one."""

from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, model_validator

from contracts.base import Contract, Offset, Write

TEXT_MAX = 300_000  # characters
LIKE = 0.3  # from this similarity on a new entry's writer is told of another one
NEAR = 0.8  # from this similarity on two entries are called near duplicates


class MoreLikeThis(Contract):
    """Look for entries about the same thing as an entry, or as a text."""

    id: UUID | None = None
    text: Annotated[str, Field(max_length=TEXT_MAX)] = ""
    limit: Annotated[int, Field(ge=1, le=50)] = 10

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.id is None) == (not self.text.strip()):
            raise ValueError("name an entry or give a text, and not both")
        return self


class LikeEntry(Contract):
    """An entry that is like another.

    `score` grows with the rare words that both have, and orders the answer; `similarity` is the
    share of their pairs of neighbouring words that they have in common, 0 to 1.
    """

    id: UUID
    title: str
    category: str
    score: float
    similarity: float


class LikeEntries(Contract):
    """The most like it first."""

    entries: tuple[LikeEntry, ...]
    generation: int
    position: str = ""
    #: What else it was computed from: how texts are read, what was tuned, which index.
    edition: str = ""
    #: Another could not be computed: this is the last known answer, of so many seconds ago.
    stale: bool = False
    age_s: float | None = None


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
    offset: Offset = 0


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
