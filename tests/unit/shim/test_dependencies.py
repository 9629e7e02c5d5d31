"""What every route needs before it begins."""

import importlib
import inspect
import pkgutil
from collections.abc import Iterator

from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, APIRouter

import shim


def needs(dependant: Dependant) -> Iterator[Dependant]:
    """Its dependencies, and theirs."""
    for one in dependant.dependencies:
        yield one
        yield from needs(one)


def test_no_request_waits_for_a_thread() -> None:
    """Routes and what they depend on are coroutines: FastAPI calls anything else in a thread of its
    pool, and the hand-off there and back cost a search more than all of our own code."""
    found, seen = [], 0
    for module in pkgutil.iter_modules(shim.__path__):
        room = vars(importlib.import_module(f"shim.{module.name}")).values()
        routers = [one for one in room if isinstance(one, APIRouter)]
        for route in (one for router in routers for one in router.routes):
            if not isinstance(route, APIRoute):  # another router, which is looked at by itself
                continue
            calls = [route.endpoint, *(one.call for one in needs(route.dependant))]
            found += [call for call in calls if not inspect.iscoroutinefunction(call)]
            seen += len(calls)
    assert not found
    assert seen > 100
