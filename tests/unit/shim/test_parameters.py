"""Routes are asked for nothing that they don't have."""

import importlib
import pkgutil
from collections.abc import Iterator

from fastapi.routing import APIRoute, APIRouter

import shim
from shim.parameters import NO_OTHERS, takes_contract

#: Their bodies say all that they are asked for, so what a query says could do no harm.
BODY_ONLY = {"/v1/events", "/v1/search", "/v1/similar"}
#: Who looks whether all is well is answered, whatever stands behind the address.
LOOKS = {"/healthz", "/readyz", "/metrics"}
#: It looks by itself.
HOT = {"/v1/entries/{entry_id}"}


def routes() -> Iterator[APIRoute]:
    """Every route."""
    for module in pkgutil.iter_modules(shim.__path__):
        room = vars(importlib.import_module(f"shim.{module.name}")).values()
        for router in (one for one in room if isinstance(one, APIRouter)):
            yield from (route for route in router.routes if isinstance(route, APIRoute))


def refuses(route: APIRoute) -> bool:
    """Whether it refuses parameters that it does not have."""
    calls = [one.call for one in route.dependant.dependencies]
    in_contract = any(getattr(call, "__qualname__", "").startswith("asked.") for call in calls)
    return in_contract or takes_contract(route.dependant) or NO_OTHERS[0].dependency in calls


def test_every_route_refuses_parameters_that_it_does_not_have() -> None:
    """One that is misspelt (`dryrun`, `limits`) would be as if it were not there."""
    found = list(routes())
    assert len(found) > 60
    left = {
        (method, route.path) for route in found if not refuses(route) for method in route.methods
    }
    posts = {("POST", path) for path in BODY_ONLY}
    assert left == posts | {("GET", path) for path in LOOKS | HOT}
