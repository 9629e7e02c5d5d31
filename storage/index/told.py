"""What was understood, in words, for the person who asked."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from storage.index.fields import DATES, NAMED
from storage.index.grammar import (
    Alike,
    Boosted,
    Fuzzy,
    Group,
    Keyword,
    Node,
    Pattern,
    Phrase,
    Range,
    Synonyms,
    Understood,
    Words,
)

SHOWN_MAX = 300  # characters


def told(asked: Understood, notes: Iterable[str] = ()) -> str:
    """One line; at its end what was read in another way than it was written, or was cut."""
    parts = [f"code {' '.join(asked.codes)}"] if asked.codes else []
    parts += _parts(asked.root)
    if asked.everything:
        parts.append("everything, newest first")
    shown = "; ".join(parts)
    noted = "".join(f" ({note})" for note in (*asked.notes, *dict.fromkeys(notes)))
    room = max(SHOWN_MAX - len(noted), SHOWN_MAX // 2)
    return _cut(_cut(shown, room) + noted, SHOWN_MAX)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _parts(group: Group) -> list[str]:
    parts = [_needed(node) for node in group.required]
    parts += [_told(node) for node in group.wanted]
    parts += [f"without {bare(node)}" for node in group.excluded]
    return [part for part in parts if part]


def _needed(node: Node) -> str:
    """What must be there; phrases, fields and codes always must."""
    return f"must have {bare(node)}" if isinstance(node, Words) and node.stems else _told(node)


def _told(node: Node) -> str:
    return f"words {bare(node)}" if isinstance(node, Words) and node.stems else bare(node)


def bare(node: Node) -> str:
    """One thing that is asked for, without what it is."""
    match node:
        case Words():
            return " ".join([word for word, _ in node.stems] or node.codes)
        case Phrase():
            return f'phrase "{" ".join(node.stems)}{"*" if node.prefix else ""}"{_where(node)}'
        case Alike():
            return f"{' or '.join(node.stems)} for {node.meant}"
        case Synonyms():
            others = " or ".join(" ".join(words) for words in node.others)
            return f"{others} for {' '.join(node.said)}"
        case Pattern():
            return f"words like {node.text}{_where(node)}"
        case Fuzzy():
            return f"words within {node.distance} of {node.text}{_where(node)}"
        case Keyword():
            field = NAMED.get(node.field, node.field)
            return f"{field} {' or '.join(node.values)}{'*' if node.prefix else ''}"
        case Range():
            return f"{node.field} {_ends(node)}"
        case Boosted():
            return f"{bare(node.node)} x{node.factor:g}"
        case Group():
            wanted = _parts(Group(node.wanted, node.required))
            either = ["; ".join(wanted) if node.required else " or ".join(wanted)]
            return f"({'; '.join([*filter(None, either), *_parts(Group(excluded=node.excluded))])})"


def _where(node: Phrase | Pattern | Fuzzy) -> str:
    return "" if node.field == "text" else f" in {node.field}"


def _ends(node: Range) -> str:
    low, high = (_end(node.field, end) for end in (node.low, node.high))
    if low == high:
        return low or "any"
    return " ".join(part for part in (low and f"from {low}", high and f"to {high}") if part)


def _end(field: str, end: int | None) -> str:
    if end is None:
        return ""
    if field not in DATES:
        return str(end)
    try:
        moment = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=end)
    except OverflowError:
        return str(end)
    return moment.strftime("%Y-%m-%d" if end % 86_400_000_000 == 0 else "%Y-%m-%d %H:%M:%S")
