"""Which entries a chunk's rows are about, also those rows that can't be taken."""

from typing import Any

from pydantic import TypeAdapter, ValidationError

from actors.rows import Valid
from actors.screening import Candidate
from contracts.entries import ExternalId
from contracts.imports import CheckChunk, ImportChunk, ImportRow
from contracts.links import id_text

_NAME: TypeAdapter[str] = TypeAdapter(ExternalId)


def named(command: ImportChunk | CheckChunk) -> set[str]:
    """The external ids in the rows, and in what the client itself has rejected."""
    found = (_name(row) for row in command.rows)
    return {name for name in found if name is not None} | _stripped(command.named)


def refused_names(command: ImportChunk, taken: list[Candidate]) -> set[str]:
    """Those of rows that were not taken: what is here of them stays. Blanks around a name may be
    what is to be mended, so the name without them is spared as well."""
    return _stripped(named(command) - {candidate.columns["external_id"] for candidate in taken})


def named_by_none(command: ImportChunk | CheckChunk, good: list[Valid]) -> bool:
    """Whether a row was rejected that does not say which entry it is about."""
    if len(command.named) < len(command.rejects):
        return True
    valid = {id(row) for row, _ in good}
    return any(id(row) not in valid and _name(row) is None for row in command.rows)


def _name(row: ImportRow) -> str | None:
    return _checked(id_text(row.data.get("external_id")))


def _checked(value: Any) -> str | None:
    try:
        return _NAME.validate_python(value, strict=True)
    except ValidationError:
        return None


def _stripped(names: Any) -> set[str]:
    """The names, and the same without blanks around them."""
    both = (form for name in names for form in (name, name.strip()))
    return {name for form in both if (name := _checked(form)) is not None}
