"""What becomes of a dead message: a row, and later perhaps a message again."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

import dramatiq
import orjson
from psycopg.types.json import Jsonb

from actors.broker.dead import DeadEntry
from actors.broker.encoding import BOOKKEEPING, MESSAGE_MAX
from actors.tracking import Place
from contracts.base import new_id
from storage.postgres.store import Row

#: What the queue notes on a message on its way; as it was sent, a message has none of it.
NOTES = frozenset(
    ("retries", "attempts", "snoozes", "deliveries", "first_failed", "unknown_since",
     "unknown_tries", "eta", "requeue_timestamp", "traceback")
)  # fmt: skip
#: What bound it to a caller and a moment that are gone when it is replayed.
BONDS = frozenset(("reply_to", "deadline", "awaited_until", "early", "unique", "once", "send"))
NAME_MAX = 200  # characters of a name that is looked up: an index holds no long ones
INTEGER_MAX = 2**31 - 1  # PostgreSQL's


def to_row(dead: DeadEntry) -> Row:
    """The columns of a dead letter. Its id comes from its place, so that twice is once."""
    try:
        return _row(dead, parse(dead.body))
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        # Someone else's idea of a message; it must not stand in the way of those behind it.
        return _row(dead._replace(report={"error": repr(error)}), None)


def _row(dead: DeadEntry, message: dict[str, Any] | None) -> Row:
    options = message["options"] if message else {}
    attempts = [_attempt(one) for one in dead.report.get("attempts", [])]
    last = attempts[-1] if attempts else {}
    if not last:
        last = {"error": "", "message": str(dead.report.get("error", ""))}
    at = dead.report.get("at", dead.at)
    place = Place.of(options)
    message_id = str(message["message_id"]) if message else ""
    body = orjson.dumps(without(message, NOTES)) if message else dead.body
    row = {
        "id": uuid5(NAMESPACE_URL, f"casebook:{dead.queue}:{dead.entry}:{message_id}"),
        "message_id": message_id,
        "queue": dead.queue,
        "actor": message["actor_name"] if message else "",
        "readable": message is not None,
        "size": len(body),
        "reason": dead.reason[:NAME_MAX],
        "error": last["error"].rpartition(".")[2][:NAME_MAX],
        "message": last["message"],
        "attempts": attempts,
        "report": {k: v for k, v in dead.report.items() if k != "attempts"},
        "deliveries": _integer(dead.report.get("deliveries", max(len(attempts), 1))),
        "operation_id": str(options.get("operation_id", message_id)),
        "first_failed_at": moment(_first_failed(dead, options, attempts, at)),
        "failed_at": moment(at),
        "replays": _integer(options.get("replays", 0)),
        "replay_of": UUID(options["replay_of"]) if "replay_of" in options else None,
        "task_id": place and place.task,
        "step": place and _integer(place.step),
        "member": place and _integer(place.member),
    }
    clean = {name: storable(value) for name, value in row.items()}
    clean |= {name: Jsonb(clean[name]) for name in ("attempts", "report")}
    return clean | {"body": body}


def replayed(row: Row, queue: str) -> dramatiq.Message[Any]:
    """The message of a letter, as new: no attempts, no caller, on its actor's present queue.

    It keeps its id, and the keys in its request: what took effect before takes no effect again.
    """
    message = orjson.loads(bytes(row["body"]))
    options = {k: v for k, v in message["options"].items() if k not in BONDS}
    options |= {"replay_of": str(row["id"]), "replays": row["replays"] + 1}
    return dramatiq.Message(
        queue_name=queue,
        actor_name=message["actor_name"],
        args=tuple(message["args"]),
        kwargs=message["kwargs"],
        options=options,
        message_id=row["message_id"],
    )


def edited(body: bytes, request: Any) -> tuple[bytes, str]:
    """The message with another request and an id of its own."""
    message = orjson.loads(body)
    message["message_id"] = str(new_id())
    message["args"] = [request]
    return orjson.dumps(message), message["message_id"]


def request_of(body: bytes) -> Any:
    """The request that a message carries; None where it carries none."""
    args = orjson.loads(body)["args"]
    return args[0] if args else None


def without(message: dict[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """The message without some of its options."""
    kept = {k: v for k, v in message["options"].items() if k not in names}
    return {**message, "options": kept}


def moment(milliseconds: float) -> datetime:
    """Unix milliseconds as a time."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def moment_of(text: str) -> datetime:
    """A time in ISO 8601 with its zone. Raises ValueError."""
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError("a time without its zone")
    return found


def storable(value: Any) -> Any:
    """`value` with what PostgreSQL's text can't hold (NUL) made visible."""
    if isinstance(value, str):
        return value.replace("\0", "\N{SYMBOL FOR NULL}")
    if isinstance(value, dict):
        return {storable(k): storable(v) for k, v in value.items()}
    if isinstance(value, list):
        return [storable(one) for one in value]
    return value


def parse(body: bytes) -> dict[str, Any] | None:
    """The message, or None for bytes that are none, or more than any message of ours."""
    if len(body) > MESSAGE_MAX + BOOKKEEPING:
        return None
    try:
        found = orjson.loads(body)
        known = (
            isinstance(found["actor_name"], str)
            and isinstance(found["message_id"], str)
            and isinstance(found["options"], dict)
            and isinstance(found["args"], list)
            and isinstance(found["kwargs"], dict)
            and max(len(found["actor_name"]), len(found["message_id"])) <= NAME_MAX
        )
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return None
    return found if known else None


def _integer(value: Any) -> int:
    if not 0 <= int(value) <= INTEGER_MAX:
        raise ValueError(f"{value} is no count of ours")
    return int(value)


def _attempt(found: dict[str, Any]) -> dict[str, Any]:
    """An attempt as it is kept. Raises for what could not be shown later."""
    at, ms = found.get("at", 0), found.get("ms")
    moment(at)
    texts = {n: str(found.get(n, "")) for n in ("worker", "error", "message", "traceback")}
    return {"at": at, "ms": None if ms is None else float(ms), **texts}


def _first_failed(
    dead: DeadEntry, options: dict[str, Any], attempts: list[dict[str, Any]], at: float
) -> float:
    first = options.get("first_failed") or dead.report.get("first_failed")
    return float(first or (attempts[0]["at"] if attempts else 0) or at)
