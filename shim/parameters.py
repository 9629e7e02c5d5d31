"""Query parameters that a route does not have are refused: it would answer as if they said nothing.

Reads that take many have them in a contract, which refuses the others by itself.
"""

from collections.abc import Iterator

from fastapi import Depends, Request
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel

from pipelines.meant import meant


async def _refuse_others(request: Request) -> None:
    refuse_others(request)


def refuse_others(request: Request) -> None:
    """Raises: RequestValidationError for a parameter that the route does not have."""
    if not request.scope["query_string"]:
        return
    dependant = request.scope["route"].dependant
    if takes_contract(dependant):
        return
    known = set(_names(dependant))
    errors = [
        {
            "loc": ("query", name),
            "type": "extra_forbidden",
            "msg": f"there is no such parameter{meant(name, known)}",
        }
        for name in request.query_params
        if name not in known
    ]
    if errors:
        raise RequestValidationError(errors)


def takes_contract(dependant: Dependant) -> bool:
    """Whether a route has its parameters in a contract."""
    types = (one.field_info.annotation for one in dependant.query_params)
    return any(isinstance(one, type) and issubclass(one, BaseModel) for one in types)


def _names(dependant: Dependant) -> Iterator[str]:
    yield from (one.alias for one in dependant.query_params)
    for needed in dependant.dependencies:
        yield from _names(needed)


#: For a router, or for a route of its own; what is asked for most calls `refuse_others` itself.
NO_OTHERS = [Depends(_refuse_others)]
