"""What every route needs before it begins."""

import importlib
import inspect
import pkgutil
from collections.abc import Iterator

from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

import shim


def needs(dependant: Dependant) -> Iterator[Dependant]:
    """Its dependencies, and theirs."""
    for one in dependant.dependencies:
        yield one
        yield from needs(one)


def test_no_request_waits_for_a_thread() -> None:
    """Routes and what they depend on are coroutines: FastAPI calls anything else in a thread of its
    pool, and the hand-off there and back cost a search more than all of our own code."""
    found = []
    for module in pkgutil.iter_modules(shim.__path__):
        router = getattr(importlib.import_module(f"shim.{module.name}"), "router", None)
        for route in router.routes if router else ():
            assert isinstance(route, APIRoute)
            calls = [route.endpoint, *(one.call for one in needs(route.dependant))]
            found += [call for call in calls if not inspect.iscoroutinefunction(call)]
            assert len(calls) > 0
    assert not found
