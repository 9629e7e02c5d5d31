"""The filters of a request, as parts of a query that narrow and never score."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from contracts.selection import Narrowed
from storage.index import fields
from storage.index.grammar import Keyword, Node, Range
from storage.index.schema import key

#: Of these an entry has one value, or lies in one: any of those asked for will do.
ALTERNATIVES = ("category", "severity", "status", "source", "author", "year")
RANGES = (*fields.DATES, "usage")


@dataclass(frozen=True, slots=True)
class Filters:
    """What an entry must be, by the filter that says so."""

    by_name: dict[str, tuple[Node, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, request: Narrowed) -> "Filters":
        """The filters that are set."""
        found: dict[str, tuple[Node, ...]] = {}
        for name in ALTERNATIVES:
            if values := getattr(request, name):
                found[name] = (_one_of(name, values),)
        if request.tag:
            found["tag"] = tuple(Keyword("tag", (key(tag),)) for tag in request.tag)
        for name in RANGES:
            low, high = getattr(request, f"{name}_from"), getattr(request, f"{name}_to")
            if low is not None or high is not None:
                found[name] = (_between(name, low, high),)
        return cls(found)

    def nodes(self) -> Iterator[Node]:
        """What all of them ask for."""
        for nodes in self.by_name.values():
            yield from nodes

    def without(self, name: str) -> "Filters":
        """All but one."""
        return Filters({other: nodes for other, nodes in self.by_name.items() if other != name})

    def only(self, name: str, value: str) -> "Filters":
        """These, and of `name` exactly this value; of a category, not its parts."""
        return Filters({**self.by_name, f"only {name}": (Keyword(name, (value,)),)})


def _one_of(name: str, values: tuple[str | int, ...]) -> Node:
    return Keyword(fields.KEYWORDS.get(name, name), tuple(key(str(value)) for value in values))


def _between(name: str, low: str | int | None, high: str | int | None) -> Node:
    """As the language reads `name:low..high`: the last day, month or year is meant as a whole."""
    ends = (f"{'' if low is None else low}..{'' if high is None else high}",)
    return fields.read(name, *ends, quoted=False) or Range(name, low=1, high=0)
