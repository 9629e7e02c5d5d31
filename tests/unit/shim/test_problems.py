"""Errors as responses."""

from collections.abc import Iterator

import orjson
import pytest
from fastapi import Request

from contracts import errors
from contracts.errors import CasebookError, EmbeddingUnavailable, Overloaded
from shim.problems import AGAIN, body_of, problem
from storage.breaker import Breaker


def classes(of: type[CasebookError] = CasebookError) -> Iterator[type[CasebookError]]:
    """Every error that tells its caller to come back."""
    if of.status in AGAIN:
        yield of
    for one in of.__subclasses__():
        yield from classes(one)


def again(error: CasebookError) -> str | None:
    """When its caller is told to come back."""
    scope = {"type": "http", "method": "GET", "path": "/v1/search", "headers": []}
    return problem(Request(scope), error).headers.get("Retry-After")


@pytest.mark.parametrize("error", sorted(set(classes()), key=lambda one: one.__name__))
@pytest.mark.parametrize(
    ("details", "told"),
    [({}, "1"), ({"retry_after": 0.2}, "1"), ({"retry_after": 0}, "1"), ({"retry_after": 7}, "7")],
)
def test_a_caller_is_told_whole_seconds(
    error: type[CasebookError], details: dict[str, float], told: str
) -> None:
    """Clients pass over what is no integer, and come back at once."""
    assert again(error(**details)) == told


def test_who_is_refused_by_a_circuit_may_come_when_it_lets_through() -> None:
    """Not before: 28.5 seconds are 29."""
    now = [0.0]
    circuit = Breaker(
        "embedding", failures=1, rest=30.0, refusal=EmbeddingUnavailable, clock=lambda: now[0]
    )
    circuit.attempt().failed()
    now[0] = 1.5
    with pytest.raises(EmbeddingUnavailable) as refused:
        circuit.attempt()
    assert again(refused.value) == "29"


def test_all_are_there() -> None:
    """The classes that this looks at are those of the tree."""
    assert {errors.RateLimited, errors.DatabaseUnavailable, Overloaded} <= set(classes())


def test_details_replace_nothing_that_every_problem_has() -> None:
    """Who reads the body reads the status that came with it."""
    for name in ("type", "title", "status", "detail", "instance", "code", "operation_id"):
        plain = orjson.loads(body_of("/v1/x", 502, "A_CODE", "Said.", "op", {}))
        told = orjson.loads(body_of("/v1/x", 502, "A_CODE", "Said.", "op", {name: 401, "more": 1}))
        assert told == plain | {"more": 1}
