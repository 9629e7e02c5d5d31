"""Answers made before they are asked for."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from contracts.base import Contract

#: In this order: what comes first is warm even where the time is short.
Kind = Literal["statistics", "query", "suggestion", "entry"]


class Ended(StrEnum):
    """How a run ended."""

    DONE = "done"  # all of it is warm
    TIME = "time"  # the rest waits for the next run
    BUSY = "busy"  # the same, since searches waited for a worker
    ANOTHER = "another"  # run was under way
    AWAY = "away"  # the warm layer does not answer
    OFF = "off"  # there is none


class WarmAnswers(Contract):
    """Compute what many ask for, and keep it in the warm layer; bounds of this run alone."""

    within: Annotated[float, Field(gt=0, le=3600)] | None = None  # seconds
    rate: Annotated[float, Field(gt=0, le=10_000)] | None = None  # answers a second


class Warmed(Contract):
    """What a run has done; every count by kind."""

    ended: Ended
    #: Computed and kept.
    warmed: dict[str, int] = Field(default_factory=dict)
    #: Was warm already.
    fresh: dict[str, int] = Field(default_factory=dict)
    #: Could not be computed, by the error's code.
    failed: dict[str, int] = Field(default_factory=dict)
    #: Not looked at any more.
    left: int = 0
    seconds: float = 0.0
    #: Of them, how long it stood back for searches.
    stood_back: float = 0.0
