"""What a query can say, as a tree: the parser makes it, the builder says it in the engine's terms.

The language, in which whatever can't be read is plain words:

    query    := clause*                        any of the plain words; the more, the better
    clause   := any | "+" any                  what AND joins, and what is refused, is a condition
    any      := all ("OR" all)*                binds tighter than standing side by side
    all      := part ("AND" part)*
    part     := unit | ("-" | "NOT" | "!") unit | "+" unit      a sign before a digit is its own
    unit     := primary ("^" number)?
    primary  := "(" query ")" | field ":" value | phrase | word
    phrase   := '"' words '"' | '"' words '*"'
    word     := text | text "*" | text "?" text | text "~" (1 | 2)
    value    := word | "*" | phrase | "(" query ")" | range     in the query each word is a value
    range    := low ".." high | (">" | ">=" | "<" | "<=") bound
              | ("[" | "{") low "TO" high ("]" | "}")           without its ends in braces
"""

from dataclasses import dataclass, field
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Words:
    """Plain words: stems, each with how often it was written, and the codes among them.

    `text` is the run as it was written.
    """

    stems: tuple[tuple[str, int], ...] = ()
    codes: tuple[str, ...] = ()
    text: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Alike:
    """Stems of words that are spelt nearly as `meant`, which no entry holds; any of them is meant.

    `spelt` is the likeliest of the words, as it is written.
    """

    meant: str
    stems: tuple[str, ...]
    spelt: str


@dataclass(frozen=True, slots=True)
class Synonyms:
    """What means the same as words of the query, a sequence of stems each; best of them counts.

    Only in entries of `category` or one below it, unless that is empty. `codes` are those among
    them: they are found however they are written.
    """

    said: tuple[str, ...]
    others: tuple[tuple[str, ...], ...]
    category: str = ""
    codes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Phrase:
    """Stems next to each other in a field. With `prefix` the last is the beginning of a word."""

    stems: tuple[str, ...]
    field: str = "text"
    prefix: bool = False


@dataclass(frozen=True, slots=True)
class Pattern:
    """A word as written with `*` (any letters) and `?` (one letter); it begins with neither.

    Of `code` it stands for codes and for words of the title, of `text` for codes and all words.
    """

    text: str
    field: str = "text"


@dataclass(frozen=True, slots=True)
class Fuzzy:
    """A word as written, give or take some letters."""

    text: str
    distance: int
    field: str = "text"


@dataclass(frozen=True, slots=True)
class Keyword:
    """A field that holds exactly one of these values; with `prefix`, one that begins so, and of
    the empty beginning any."""

    field: str
    values: tuple[str, ...]
    prefix: bool = False

    @property
    def any(self) -> bool:
        """Whether the field need only hold something."""
        return self.prefix and not self.values[0]


@dataclass(frozen=True, slots=True)
class Range:
    """A number between two ends, both included; None is no end. Dates are microseconds."""

    field: str
    low: int | None = None
    high: int | None = None


@dataclass(frozen=True, slots=True)
class Boosted:
    """Counts so many times as much."""

    node: "Node"
    factor: float


@dataclass(frozen=True, slots=True)
class Group:
    """All of `required`, none of `excluded`; of `wanted` the more the better.

    One of `wanted` must be there if nothing is required. `either` says that they are alternatives,
    of OR or of a field, and not only words side by side: who needs all words needs one of these.
    """

    wanted: tuple["Node", ...] = ()
    required: tuple["Node", ...] = ()
    excluded: tuple["Node", ...] = ()
    either: bool = field(default=False, compare=False)


Node: TypeAlias = (
    Words | Alike | Synonyms | Phrase | Pattern | Fuzzy | Keyword | Range | Boosted | Group
)


@dataclass(frozen=True, slots=True)
class Understood:
    """What a query asks for. Words are stems, as they are indexed."""

    root: Group = field(default_factory=Group)
    #: Every code that is asked for, wherever it stands: what holds one comes first.
    codes: tuple[str, ...] = ()
    #: What was read in another way than it was written, and why.
    notes: tuple[str, ...] = ()
    #: Those of the codes that are no alternative to something else.
    firm: tuple[str, ...] = field(default=(), compare=False)

    @property
    def everything(self) -> bool:
        """Nothing is asked for that could make one entry better than another."""
        return not (self.codes or any(map(ranks, (*self.root.wanted, *self.root.required))))


def capped(group: Group, most: float) -> Group:
    """The same with boosts that multiply to `most` at most, wherever they stand in each other."""

    def within(node: Node, room: float) -> Node:
        if isinstance(node, Boosted):
            factor = min(node.factor, room)
            return Boosted(within(node.node, room / max(1.0, factor)), factor)
        if isinstance(node, Group):
            return capped(node, room)
        return node

    parts = (group.wanted, group.required, group.excluded)
    wanted, required, excluded = (tuple(within(node, most) for node in nodes) for nodes in parts)
    return Group(wanted, required, excluded, group.either)


def ranks(node: Node) -> bool:
    """Whether some entries fit `node` better than others."""
    if isinstance(node, Boosted):
        return ranks(node.node)
    if isinstance(node, Group):
        return any(map(ranks, (*node.wanted, *node.required)))
    return not isinstance(node, Keyword | Range)


def leaves(node: Node, *, excluded: bool = False) -> list[Node]:
    """What a tree asks for at its ends, from left to right; with `excluded` what it refuses."""
    if isinstance(node, Boosted):
        return leaves(node.node, excluded=excluded)
    if not isinstance(node, Group):
        return [] if excluded else [node]
    found = [
        leaf for part in (*node.required, *node.wanted) for leaf in leaves(part, excluded=excluded)
    ]
    if excluded:
        found += [leaf for part in node.excluded for leaf in leaves(part)]
    return found


def firm(node: Node) -> list[Node]:
    """The leaves that are no alternative to others, from left to right."""
    if isinstance(node, Boosted):
        return firm(node.node)
    if not isinstance(node, Group):
        return [node]
    wanted = () if node.either else node.wanted
    return [leaf for part in (*node.required, *wanted) for leaf in firm(part)]
