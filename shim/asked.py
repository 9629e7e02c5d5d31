"""A contract read from the query string, once.

FastAPI does the same for `Annotated[Contract, Query()]`, but looks at the types of all fields again
at every request: for a search that was half of what the shim did.
"""

from collections.abc import Awaitable, Callable
from functools import cache
from typing import Any, TypeVar, get_args, get_origin

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from contracts.base import Contract

C = TypeVar("C", bound=Contract)

COMPONENTS = "#/components/schemas/{model}"


def asked(contract: type[C]) -> Callable[[Request], Awaitable[C]]:
    """A dependency that gives the contract, or answers 422. Routes with it need `shown`, too."""

    async def read(request: Request) -> C:
        try:
            return in_query(contract, request)
        except ValidationError as error:
            found = error.errors(include_url=False)
            raise RequestValidationError(
                [{**one, "loc": ("query", *one["loc"])} for one in found]
            ) from None

    return read


def in_query(contract: type[C], request: Request) -> C:
    """The contract, as the query string gives it. Raises: pydantic.ValidationError."""
    given, lists = request.query_params, _lists(contract)
    return contract.model_validate(
        {name: given.getlist(name) if name in lists else value for name, value in given.items()}
    )


def shown(contract: type[Contract]) -> dict[str, Any]:
    """What OpenAPI says of the contract's fields, for a route's `openapi_extra`."""
    schema = contract.model_json_schema(ref_template=COMPONENTS)
    return {
        "parameters": [
            {
                "name": name,
                "in": "query",
                "required": name in schema.get("required", ()),
                "schema": {"title": name, **one},
            }
            for name, one in schema["properties"].items()
        ]
    }


@cache
def _lists(contract: type[Contract]) -> frozenset[str]:
    """The fields that may be given more than once."""
    return frozenset(
        name for name, one in contract.model_fields.items() if _is_list(one.annotation)
    )


def _is_list(annotation: Any) -> bool:
    return any(get_origin(one) in (tuple, list) for one in (annotation, *get_args(annotation)))
