"""JSON that goes deep."""

from typing import Any


def nested(levels: int) -> dict[str, Any]:
    """Objects in objects."""
    return {} if levels == 1 else {"a": nested(levels - 1)}
