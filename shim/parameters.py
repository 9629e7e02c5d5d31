"""Query parameters that a write does not have are refused: it would be done without them.

Reads that take many have them in a contract, which refuses the others by itself.
"""

from collections.abc import Iterator

from fastapi import Depends, Request
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError

from pipelines.meant import meant

READS = ("GET", "HEAD")


async def _refuse_others(request: Request) -> None:
    if request.method in READS or not request.scope["query_string"]:
        return
    known = set(_names(request.scope["route"].dependant))
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


def _names(dependant: Dependant) -> Iterator[str]:
    yield from (one.alias for one in dependant.query_params)
    for needed in dependant.dependencies:
        yield from _names(needed)


#: For a router, or for each of its writes where its reads are asked for too often.
NO_OTHERS = [Depends(_refuse_others)]
