"""Search by meaning: switched on, filled with vectors, asked."""

from typing import Annotated
from uuid import UUID

from pydantic import Field

from contracts.base import Contract, Write
from contracts.search import NEAR_MAX, QUERY_MAX


class EnableSemantic(Write):
    """Make vectors of all entries with the provider that is set; those that there are stay in use
    until the new ones are complete."""


class SemanticStarted(Contract):
    """The task that makes the vectors, of that many entries."""

    task: UUID
    model: int
    count: int


class DisableSemantic(Write):
    """Forget all vectors."""


class SemanticDisabled(Contract):
    """How many vectors were forgotten."""

    vectors: int


class FillVectors(Contract):
    """One turn of a backfill."""

    model: int


class VectorsFilled(Contract):
    """How many vectors the model has; none where it was `superseded`: a newer one was complete
    first, or all was switched off."""

    vectors: int
    superseded: bool = False


class SemanticState(Contract):
    """What searches by meaning use. `model` is None while there is nothing complete."""

    provider: str
    model: int | None = None
    name: str = ""
    dimensions: int = 0
    entries: int = 0
    vectors: int = 0
    #: A model whose vectors are being made, by which task, and how many it has.
    filling: int | None = None
    filling_task: UUID | None = None
    filled: int = 0


class AskNearest(Contract):
    """Which entries mean about the same as a text?"""

    text: Annotated[str, Field(max_length=QUERY_MAX + 1)]
    most: Annotated[int, Field(ge=1, le=NEAR_MAX)]


class Nearest(Contract):
    """Their ids, the likest first."""

    ids: tuple[UUID, ...]
    #: What a place among them counts beside the same place by words, which counts 1.
    weight: float = 1.0
