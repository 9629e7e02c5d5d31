"""A message to every actor, as this release sends it: `python -m tests.support.messages`.

What it prints is kept in tests/data/messages/RELEASE.ndjson; later releases must understand it.
"""

import sys
from collections.abc import Iterator
from typing import Any

from actors.actor import Operation
from actors.broker.encoding import ContractEncoder
from actors.catalogue import OF_A_NODE, SHARED
from actors.queues import INDEX, queue_of

OPERATIONS: tuple[Operation[Any, Any], ...] = (*SHARED, *OF_A_NODE)
ID = "01890000-0000-7000-8000-000000000000"
TIME, LATER = "2026-01-02T03:04:05Z", "2026-01-03T00:00:00Z"

QUERY: dict[str, Any] = {
    **{"after": "epoch.1.2", "order": "desc", "cursor": None},
    **dict.fromkeys(("updated_from", "updated_to", "created_from", "created_to"), "2026-01"),
}

#: Where contracts ask for more than their schema says.
INSTEAD: dict[str, dict[str, Any]] = {
    "analytics_answers.report": {"metric": "viewed", "query": None, "zone": "UTC", "by": "day"},
    "dead_letters.restore": {"state": "discarded"},
    "entries.relate": {"to_id": "01890000-0000-7000-8000-000000000001"},
    "health.judge": {"requests": {"shim-0": {"all": 1.0}}},
    "mappings.save": {"shape": {"mapping": {"title": "name"}, "defaults": {"category": "x"}}},
    "saved_searches.save": {"webhook": "https://example.org/"},
    "search.like": {"text": ""},
    "search.query": QUERY,
    "search.fused": QUERY,
}


def sample(schema: dict[str, Any], root: dict[str, Any]) -> Any:
    """A value that fits a JSON schema, with everything in it that may be."""
    if "$ref" in schema:
        return sample(root["$defs"][schema["$ref"].rpartition("/")[2]], root)
    if "const" in schema or "enum" in schema:
        return schema["const"] if "const" in schema else schema["enum"][0]
    if "anyOf" in schema:
        return sample(schema["anyOf"][0], root)
    kind = schema.get("type", "any")
    if kind == "object" and "properties" in schema:
        fields = {key: sample(one, root) for key, one in schema["properties"].items()}
        return fields | ({"until": LATER} if fields.get("until") == TIME else {})
    if kind == "array":
        items = schema.get("prefixItems") or [schema.get("items", {})] * schema.get("minItems", 1)
        return [sample(one, root) for one in items or [schema.get("items", {})]]
    if kind in ("integer", "number"):
        return schema.get("minimum", schema.get("exclusiveMinimum", 0) + 1)
    if kind == "string":
        if schema.get("pattern", "").startswith("^[0-9a-f]{8}-"):
            return ID
        special = {"uuid": ID, "date-time": TIME}
        return special.get(schema.get("format", ""), "x" * max(schema.get("minLength", 1), 1))
    return {"boolean": True, "object": {"a": 1}, "null": None, "any": "x"}[kind]


def messages() -> Iterator[bytes]:
    """One for each operation, encoded as on the wire, in the order of their names."""
    for operation in sorted(OPERATIONS, key=lambda one: one.name):
        schema = operation.request.model_json_schema()
        values = sample(schema, schema) | INSTEAD.get(operation.name, {})
        request = operation.request.model_validate(values)
        queue = queue_of("node") if operation.queue == INDEX else None
        # Whole, though what is as its default says is not sent: what was ever said is understood.
        message = operation.message(request.model_dump(mode="json"), queue=queue)
        fixed = message._replace(message_id=ID, message_timestamp=0)
        yield ContractEncoder().encode(fixed.asdict())


if __name__ == "__main__":
    sys.stdout.buffer.writelines(line + b"\n" for line in messages())
