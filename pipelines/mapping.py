"""Shaping rows: `--map field=path`, `--default field=value`, `--split field=separator`."""

from collections.abc import Callable, Iterable
from typing import Any

from pydantic import ValidationError

from actors import mappings
from actors.broker.client import Client
from contracts.base import field_errors
from contracts.errors import MappingInvalid
from contracts.links import id_text
from contracts.mappings import (
    FIELDS,
    LISTS,
    PLACEHOLDER,
    GetMapping,
    SavedMapping,
    SaveMapping,
    Shape,
    sound,
)
from pipelines.ask import ask_for

TEXTS = frozenset(FIELDS) - {"custom", *LISTS}
#: Other sources have these too, and mean something else: only where they are mapped.
OURS = frozenset({"source", "related"})
#: Names that others give to what we call external_id; the first that a row has is taken.
ID_NAMES = ("_id", "id")
EXACT = 2**63  # JSON integers beyond are read as floats, so that two ids may become one

#: What Meilisearch adds to documents, in dumps and in answers. A mapping may look into it.
ADDED = ("_vectors", "_formatted", "_rankingScore", "_rankingScoreDetails", "_matchesPosition")

Row = dict[str, Any]


class NotText(Exception):
    """A path selects what is no text, where text is due. `field` is the entry's."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


def parse_shape(
    mapping: Iterable[str] = (), defaults: Iterable[str] = (), splits: Iterable[str] = ()
) -> Shape:
    """`field=value` pairs as a shape; `\\t` in a separator is a tab.

    Raises: MappingInvalid for a field that entries don't have or that is named twice, a value that
    it can't hold, and a template that is none.
    """
    parts = {
        "mapping": _pairs(mapping, "field=path"),
        "defaults": _pairs(defaults, "field=value"),
        "splits": {
            field: separator.replace("\\t", "\t")
            for field, separator in _pairs(splits, "field=separator").items()
        },
    }
    try:
        return _sound(Shape.model_validate(parts))
    except ValidationError as error:
        first = field_errors(error.errors(include_url=False, include_context=False))[0]
        field = first["field"].removesuffix(".[key]").rpartition(".")[2]
        raise MappingInvalid(f"{field}: {first['message']}.", field=field) from None


def _sound(shape: Shape) -> Shape:
    try:
        return sound(shape)
    except ValueError as error:
        raise MappingInvalid(f"{error}.") from None


def _pairs(pairs: Iterable[str], form: str) -> dict[str, str]:
    found = {}
    for pair in pairs:
        field, equals, value = pair.partition("=")
        if not equals or not value:
            raise MappingInvalid(f"It is written {form}, not {pair[:100]!r}.")
        if field in found:
            raise MappingInvalid(
                f"{field} is there twice; it is written once, {form}.", field=field
            )
        found[field] = value
    return found


async def load_shape(client: Client, name: str, *, timeout: float) -> Shape:
    """The shape that is saved under `name`.

    Raises: MappingNotFound; MappingInvalid for one of an earlier release that is refused now; and
    as `ask_for`.
    """
    request = GetMapping(name=name)
    saved = await ask_for(SavedMapping, client, mappings.get, request, timeout=timeout)
    return _sound(saved.shape)


async def save_shape(client: Client, name: str, shape: Shape, *, by: str, timeout: float) -> None:
    """Keep the shape under `name`. Raises as `ask_for`."""
    command = SaveMapping(name=name, shape=shape, by=by)
    await ask_for(SavedMapping, client, mappings.save, command, timeout=timeout)


def shaper(shape: Shape) -> Callable[[Row], Row]:
    """A function from a source's row to an entry's fields. It raises NotText.

    Without a mapping the row is taken as it is. With one, fields that are not mapped are taken
    from where they have their own name, but for OURS; what else the source has is left out. Where
    nothing says what the external id is, it is the row's `_id` or `id`.
    """
    take = _mapped(shape) if shape.mapping else _with_external_id
    if not (shape.defaults or shape.splits):
        return take
    return lambda data: _completed(shape, take(data))


def name_in(data: Row, shape: Shape) -> str | None:
    """The external id of a row that could not be taken, where that can be told."""
    path = shape.mapping.get("external_id")
    try:
        name = id_text(_selector("external_id", path)(data) if path else _external_id(data))
    except NotText:
        return None
    return name if isinstance(name, str) and name else None


def _mapped(shape: Shape) -> Callable[[Row], Row]:
    selectors: list[tuple[str, Callable[[Row], Any] | None]] = []
    for field in FIELDS:
        if (path := shape.mapping.get(field)) is not None:
            selectors.append((field, _selector(field, path)))
        elif field == "external_id":
            selectors.append((field, _external_id))
        elif field not in OURS:
            selectors.append((field, None))

    def mapped(data: Row) -> Row:
        entry: Row = {}
        for field, select in selectors:
            value = select(data) if select else data.get(field)
            if value is not None:
                entry[field] = value
        return entry

    return mapped


def _with_external_id(data: Row) -> Row:
    """The row, its id under our name for it; where it has that one too, `_id` says nothing. What
    a search server has added is none of it."""
    if any(name in data for name in ADDED):
        data = {name: value for name, value in data.items() if name not in ADDED}
    name = _id_name(data) if data.get("external_id") is None else "_id"
    if name is None or name not in data:
        return data
    entry = {"external_id": data[name]} | data
    if entry["external_id"] is None:
        entry["external_id"] = data[name]
    del entry[name]
    return entry


def _completed(shape: Shape, entry: Row) -> Row:
    missing = {
        field: value for field, value in shape.defaults.items() if entry.get(field) in (None, "")
    }
    entry = entry | missing if missing else entry
    for field, separator in shape.splits.items():
        text = entry.get(field)
        if isinstance(text, str):
            parts = [part.strip() for part in text.split(separator)]
            entry = entry | {field: [part for part in parts if part]}
    return entry


def _external_id(data: Row) -> Any:
    own = data.get("external_id")
    name = _id_name(data) if own is None else None
    return own if name is None else data[name]


def _id_name(data: Row) -> str | None:
    return next((name for name in ID_NAMES if data.get(name) is not None), None)


def _selector(field: str, path: str) -> Callable[[Row], Any]:
    if PLACEHOLDER.search(path):
        return _template(field, path)
    if field in TEXTS:
        return lambda data: _text(field, path, _dotted(path, data))
    if field == "tags":
        return lambda data: _texts(field, path, _dotted(path, data))
    return lambda data: _dotted(path, data)


def _template(field: str, path: str) -> Callable[[Row], str | None]:
    """What a row lacks is empty; but an id that lacks a part would be that of other rows too."""
    names = PLACEHOLDER.findall(path)

    def filled(data: Row) -> str | None:
        parts = {name: _text(field, name, _dotted(name, data)) or "" for name in names}
        if field == "external_id" and not all(part.strip() for part in parts.values()):
            return None
        return PLACEHOLDER.sub(lambda found: parts[found[1]], path).strip() or None

    return filled


def paths_of(shape: Shape) -> dict[str, str]:
    """Where the mapping looks: the entry's field, by path."""
    return {
        one: field
        for field, path in shape.mapping.items()
        for one in PLACEHOLDER.findall(path) or [path]
    }


def found_at(paths: Iterable[str], data: Row) -> list[str]:
    """Those of the paths that select anything."""
    return [path for path in paths if _dotted(path, data) is not None]


def _dotted(path: str, data: Any) -> Any:
    """What is at a path of names and, in lists, of places from 0; None where nothing is."""
    if path in data:
        return data[path]  # a name that itself has a dot
    for name in path.split("."):
        if isinstance(data, dict):
            data = data.get(name)
        elif isinstance(data, list) and name.isdecimal():
            data = data[int(name)] if int(name) < len(data) else None
        else:
            return None
    return data


def _text(field: str, path: str, value: Any) -> str | None:
    """The value as text: numbers and booleans as JSON writes them."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | list):
        kind = "a list" if isinstance(value, list) else "an object"
        raise NotText(field, f"{path} is {kind}; text is due")
    if isinstance(value, float) and abs(value) >= EXACT:
        raise NotText(field, f"{path} is a number that is not exact; write it as text")
    return str(value)


def _texts(field: str, path: str, value: Any) -> Any:
    if isinstance(value, list):
        return [
            one if isinstance(one, str) else _text(field, f"{path}.{place}", one)
            for place, one in enumerate(value)
        ]
    return _text(field, path, value)
