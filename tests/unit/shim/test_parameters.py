"""Writes are asked for nothing that they don't have."""

import importlib
import pkgutil
from collections.abc import Iterator

from fastapi.routing import APIRoute, APIRouter

import shim
from shim.parameters import NO_OTHERS, READS

#: Their bodies say all that they are asked for, so what a query says could do no harm.
BODY_ONLY = {"/v1/events", "/v1/search", "/v1/similar"}


def writes() -> Iterator[APIRoute]:
    """Every route that is no read."""
    for module in pkgutil.iter_modules(shim.__path__):
        room = vars(importlib.import_module(f"shim.{module.name}")).values()
        for router in (one for one in room if isinstance(one, APIRouter)):
            for route in router.routes:
                if isinstance(route, APIRoute) and not route.methods <= {*READS}:
                    yield route


def test_every_write_refuses_parameters_that_it_does_not_have() -> None:
    """One that is misspelt (`dryrun`) would be done as if it were not there."""
    found = [route for route in writes() if route.path not in BODY_ONLY]
    assert len(found) > 20
    (check,) = NO_OTHERS
    for route in found:
        calls = [one.call for one in route.dependant.dependencies]
        assert check.dependency in calls, route.path
