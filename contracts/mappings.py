"""Mappings: how a source's fields become an entry's, also kept under a name."""

import re
from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints, ValidationError

from contracts.base import Contract, Text, Write
from contracts.imports import ImportedEntry

FIELDS = tuple(ImportedEntry.model_fields)
LISTS = ("tags", "related")
PLACEHOLDER = re.compile(r"\{([^{}]+)\}")  # of a template: a path


def _known(field: str) -> str:
    if field not in FIELDS:
        raise ValueError(f"entries have no field {field!r}; they have {', '.join(FIELDS)}")
    return field


def _list(field: str) -> str:
    if field not in LISTS:
        raise ValueError(f"only {', '.join(LISTS)} is made of several texts")
    return field


def _possible(defaults: dict[str, str]) -> dict[str, str]:
    """Raise ValueError for a default that no entry can have."""
    try:
        ImportedEntry.model_validate({"title": "any", **defaults})
    except ValidationError as error:
        first = error.errors()[0]
        raise ValueError(f"{first['loc'][0]} can't be that: {first['msg']}") from None
    return defaults


Path = Annotated[Text, StringConstraints(min_length=1, max_length=500)]
Separator = Annotated[Text, StringConstraints(min_length=1, max_length=10)]
MappingName = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=100)
]


class Shape(Contract):
    """How a row becomes an entry."""

    #: Entry field → where the source has it: a dotted path (`meta.names.0`), or a template of such.
    mapping: dict[Annotated[str, AfterValidator(_known)], Path] = Field(default_factory=dict)
    #: Entry field → what it is where the source has nothing.
    defaults: Annotated[
        dict[Annotated[str, AfterValidator(_known)], Text],
        AfterValidator(_possible),
    ] = Field(default_factory=dict)
    #: Entry field → what stands between the parts of its text.
    splits: dict[Annotated[str, AfterValidator(_list)], Separator] = Field(default_factory=dict)

    def over(self, other: "Shape") -> "Shape":
        """This shape, and what `other` says of fields of which this one says nothing."""
        return Shape(
            mapping=other.mapping | self.mapping,
            defaults=other.defaults | self.defaults,
            splits=other.splits | self.splits,
        )


def sound(shape: Shape) -> Shape:
    """The shape, if it says what it means. Earlier releases took and kept others, too.

    Raises: ValueError.
    """
    if "external_id" in shape.defaults:
        raise ValueError("external_id has no default: all rows without one would be one entry")
    for field, path in shape.mapping.items():
        if set("{}") & set(PLACEHOLDER.sub("", path)):
            raise ValueError(f"{field}: {path!r} has a brace that is not of a pair around a path")
    return shape


SoundShape = Annotated[Shape, AfterValidator(sound)]


class SaveMapping(Write):
    """Keep a shape under a name, in place of what was kept there."""

    name: MappingName
    shape: SoundShape


class GetMapping(Contract):
    """Read what is kept under a name."""

    name: MappingName


class DeleteMapping(Write):
    """Forget what is kept under a name."""

    name: MappingName


class SavedMapping(Contract):
    """A shape under its name."""

    name: str
    shape: Shape
    updated_at: datetime
    updated_by: str = ""


class MappingDeleted(Contract):
    """The name is free."""

    name: str


class SavedMappings(Contract):
    """All of them, by name."""

    mappings: tuple[SavedMapping, ...]
