"""Links: what a source says of how its entries belong together, by their names there."""

from collections.abc import Iterable
from typing import Annotated, Any

import orjson
from pydantic import AfterValidator, BeforeValidator, Field

from contracts.base import Contract
from contracts.entries import ExternalId, RelationKind

LINKS_MAX = 64  # of one entry

#: Of these kinds a circle makes no sense: each would come before itself.
ORDERED = frozenset({RelationKind.PREREQUISITE, RelationKind.SUPERSEDED})


def id_text(value: Any) -> Any:
    """Sources number their rows; an id is text here."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


class Link(Contract):
    """One entry of a source named by another one."""

    to: Annotated[ExternalId, BeforeValidator(id_text)]
    kind: RelationKind = RelationKind.RELATED
    strength: Annotated[float, Field(ge=0, le=1)] = 1.0

    def written(self) -> str | dict[str, Any]:
        """As short as sources may write it."""
        fields = self.model_dump(mode="json", exclude_defaults=True)
        return self.to if fields.keys() == {"to"} else fields


def _links(value: Any) -> Any:
    """A link may be only the other's name; CSV has all of them, or their JSON, in one text."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            value = orjson.loads(value)
        except orjson.JSONDecodeError as error:
            raise ValueError(f"is no JSON: {error}") from None
    if isinstance(value, str):
        value = [name for name in (part.strip() for part in value.split(",")) if name]
    if not isinstance(value, list | tuple):
        return value
    return [{"to": one} if isinstance(one, str | int) else one for one in value]


def _each_once(links: tuple[Link, ...]) -> tuple[Link, ...]:
    """In the order of their names; of two alike the last one counts."""
    found = {(link.to, link.kind): link for link in links}
    return tuple(found[key] for key in sorted(found))


Links = Annotated[
    tuple[Link, ...],
    BeforeValidator(_links),
    Field(max_length=LINKS_MAX),
    AfterValidator(_each_once),
]


def circles(arrows: Iterable[tuple[str, str]]) -> list[list[str]]:
    """Ways that come back to where they began, from their first name on; one of each tangle."""
    ahead: dict[str, list[str]] = {}
    for tail, head in sorted(set(arrows)):
        ahead.setdefault(tail, []).append(head)
    found, over = list[list[str]](), set[str]()
    for start in ahead:
        way = {} if start in over else {start: iter(ahead[start])}
        while way:
            here, heads = next(reversed(way.items()))
            for head in heads:
                if head in way:
                    names = list(way)
                    found.append(_from_first(names[names.index(head) :]))
                elif head not in over:
                    way[head] = iter(ahead.get(head, ()))
                    break
            else:
                over.add(here)
                del way[here]
    return found


def _from_first(circle: list[str]) -> list[str]:
    first = circle.index(min(circle))
    return circle[first:] + circle[:first]
