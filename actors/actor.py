"""The `@actor` decorator: an operation is a plain function with contracts in its annotations."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Generic, ParamSpec, TypeVar, get_type_hints

import dramatiq
from pydantic import BaseModel, ValidationError

from actors.broker.broker import StreamsBroker
from contracts.base import EncodedReply, field_errors, new_name
from contracts.errors import ValidationFailed
from contracts.operation import doing

NAMED = 5  # fields that the message of a request that fits no contract names

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True)
class Operation(Generic[P, R]):
    """One operation: what it is called, where it waits, what it takes and gives.

    Calling it calls the function, as in a unit test. Declared on a broker it becomes a Dramatiq
    actor that validates what arrives, receives its resources, and encodes what returns.
    """

    function: Callable[P, R]
    name: str
    queue: str
    request: type[BaseModel]
    #: Parameter name → type of the resource that the worker's root provides.
    needs: dict[str, type]
    #: A read has a deadline and is answered even with "not yet"; a write waits.
    read: bool
    options: dict[str, Any] = field(default_factory=dict)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return self.function(*args, **kwargs)

    def message(
        self, request: BaseModel | dict[str, Any], *, queue: str | None = None, **options: Any
    ) -> dramatiq.Message[Any]:
        """A message that asks for this operation, to be enqueued on any broker.

        `request` may be the contract's JSON as a dict, with parts that are already encoded.
        """
        now = doing()
        if now.id:
            options.setdefault("operation_id", now.id)
            if now.traced:
                options["traced"] = True
            if now.parent:
                options.setdefault("traceparent", now.parent)
            if now.by:
                options.setdefault("caller", now.by)
        return dramatiq.Message(
            queue_name=queue or self.queue,
            actor_name=self.name,
            args=(request,),
            kwargs={},
            options=options,
            message_id=new_name(),
        )

    def declare(self, broker: StreamsBroker, queue: str | None = None) -> None:
        """Make this operation known to `broker`, on a queue of this node where one is named."""
        dramatiq.Actor(
            self._bound(broker),
            broker=broker,
            actor_name=self.name,
            queue_name=queue or self.queue,
            priority=0,
            options=dict(self.options),
        )

    def request_in(self, body: Any) -> BaseModel:
        """The request in a message's body. Raises: ValidationFailed."""
        try:
            return self.request.model_validate(body)
        except ValidationError as error:
            errors = field_errors(error.errors(include_url=False, include_context=False))
            # In a dead letter the message is all that a list shows.
            named = "; ".join(f"{one['field']}: {one['message']}" for one in errors[:NAMED])
            message = f"The request does not fit its contract: {named}"
            raise ValidationFailed(message, errors=errors) from None

    def answer(self, request: BaseModel, resources: Mapping[type, Any]) -> bytes:
        """What it answers to `request`, as JSON; from `resources` it takes what it needs."""
        needs = {name: resources[kind] for name, kind in self.needs.items()}
        result = self.function(request, **needs)  # type: ignore[arg-type]  # P is known only to the caller
        if isinstance(result, EncodedReply):
            return result
        if not isinstance(result, BaseModel):
            return b"null"
        # The serializer's bytes as they are: `model_dump_json` makes a text of them.
        return result.__pydantic_serializer__.to_json(result)

    def _bound(self, broker: StreamsBroker) -> Callable[[dict[str, Any]], bytes]:
        return lambda body: self.answer(self.request_in(body), broker.resources)


class Operations(dict[str, Operation[Any, Any]]):
    """Every operation of this release by its name: a resource for those that look at messages."""


def actor(
    *,
    queue: str,
    read: bool = False,
    max_retries: int | None = None,
    min_backoff: timedelta | None = None,
    max_backoff: timedelta | None = None,
    fatal: tuple[type[Exception], ...] = (),
    time_limit: timedelta = timedelta(seconds=30),
) -> Callable[[Callable[P, R]], Operation[P, R]]:
    """Make an operation of a function `(request: Contract, resource: Type, ...) -> Contract`.

    Its name is `module.function`. Nothing is registered or connected: `declare` does that.

    `min_backoff` and `max_backoff` are the first and the longest pause before another attempt.
    After an error in `fatal` there is none; what is "not yet" (contracts.errors) is never fatal.
    """

    def decorate(function: Callable[P, R]) -> Operation[P, R]:
        hints = get_type_hints(function)
        hints.pop("return", None)
        first, *rest = inspect.signature(function).parameters
        options: dict[str, Any] = {"time_limit": int(time_limit.total_seconds() * 1000)}
        if max_retries is not None or read:
            options["max_retries"] = max_retries or 0
        for option, pause in (("min_backoff", min_backoff), ("max_backoff", max_backoff)):
            if pause is not None:
                options[option] = pause // timedelta(milliseconds=1)
        if fatal:
            options["fatal"] = fatal
        module = function.__module__.rpartition(".")[2]
        return Operation(
            function=function,
            name=f"{module}.{function.__name__}",
            queue=queue,
            request=hints[first],
            needs={name: hints[name] for name in rest},
            read=read,
            options=options,
        )

    return decorate
