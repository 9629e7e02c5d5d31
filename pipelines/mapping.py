"""`--map entry_field=source.path`: a source's fields as an entry's."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from contracts.errors import MappingInvalid
from contracts.imports import ImportedEntry

FIELDS = tuple(ImportedEntry.model_fields)
PLACEHOLDER = re.compile(r"\{([^{}]+)\}")


def parse_mapping(pairs: Iterable[str]) -> dict[str, str]:
    """`field=path` pairs as a mapping.

    A path is dotted (`metadata.category`), or a template of paths (`{code}: {meaning}`).
    Raises: MappingInvalid for a field that entries don't have.
    """
    mapping = {}
    for pair in pairs:
        field, equals, path = pair.partition("=")
        if not equals or not path:
            raise MappingInvalid(f"A mapping is written field=path, not {pair!r}.")
        if field not in FIELDS:
            raise MappingInvalid(
                f"Entries have no field {field!r}; they have {', '.join(FIELDS)}.", field=field
            )
        mapping[field] = path
    return mapping


def apply_mapping(mapping: Mapping[str, str], data: dict[str, Any]) -> dict[str, Any]:
    """A source row as an entry's fields.

    Without a mapping the row is taken as it is. With one, fields that are not mapped are taken
    from where they have their own name; what else the source has is left out.
    """
    if not mapping:
        return data
    entry = {}
    for field in FIELDS:
        value = _value(mapping[field], data) if field in mapping else data.get(field)
        if value is not None:
            entry[field] = value
    return entry


def _value(path: str, data: dict[str, Any]) -> Any:
    if PLACEHOLDER.search(path):
        return PLACEHOLDER.sub(lambda found: _text(_dotted(found[1], data)), path).strip() or None
    return _dotted(path, data)


def _dotted(path: str, data: Any) -> Any:
    if isinstance(data, dict) and path in data:
        return data[path]  # a name that itself has a dot
    for name in path.split("."):
        if not isinstance(data, dict):
            return None
        data = data.get(name)
    return data


def _text(value: Any) -> str:
    return "" if value is None else str(value)
