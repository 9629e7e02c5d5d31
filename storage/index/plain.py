"""Plain words: as what an entry may hold, as what it has to, and in place of a phrase."""

from collections import Counter
from collections.abc import Callable

from storage.index.codes import find_codes
from storage.index.fields import CODE
from storage.index.grammar import (
    Boosted,
    Fuzzy,
    Group,
    Keyword,
    Node,
    Pattern,
    Phrase,
    Range,
    Understood,
    Words,
    leaves,
)
from storage.index.inexact import is_open, opened
from storage.index.text import every_word, telling_words
from storage.index.told import bare

PHRASE_WORDS_MAX = 16


def words_of(text: str) -> Words:
    """Plain words. Those that tell nothing are left out, unless there are no others."""
    codes = find_codes(text)
    stems = telling_words().analyze(text)
    if not (stems or codes):
        stems = every_word().analyze(text)
    return Words(tuple(Counter(stems).items()), tuple(codes), text)


def needed(node: Node | str | None) -> Node | None:
    """`node` as something that can be required or refused by itself."""
    if not isinstance(node, str):
        return node
    if is_open(node):
        return Group((words_of(node), opened(node)))
    if codes := find_codes(node):
        return Words(codes=tuple(codes[:1]), text=node)
    stems = tuple(every_word().analyze(node)[:PHRASE_WORDS_MAX])
    if len(stems) > 1:
        return Phrase(stems)
    return Words(((stems[0], 1),), text=node) if stems else None


def is_strict(node: Node) -> bool:
    """Whether an entry that does not fit is not wanted at all."""
    if isinstance(node, Boosted):
        return is_strict(node.node)
    if isinstance(node, Group):
        return all(map(is_strict, leaves(node)))
    return (
        isinstance(node, Phrase | Keyword | Range)
        or (isinstance(node, Words) and not node.stems)
        or (isinstance(node, Pattern | Fuzzy) and node.field != "text")
    )


def without_unheld(asked: Understood, held: Callable[[Node], bool]) -> Understood | None:
    """The same question with words for fields whose value no entry has, for when nothing is found.

    Where no words stand beside them they stay, and a note says what is missing. None if each of
    them is held.
    """
    root = asked.root
    unheld = [node for node in root.required if _is_field(node) and not held(node)]
    if not unheld:
        return None
    note = f"no entry has {', '.join(map(_said, unheld))}"
    if not root.wanted:
        return Understood(root, asked.codes, (*asked.notes, note))
    words = [_in_words(leaf) for node in unheld for leaf in leaves(node)]
    wanted = (*root.wanted, *(found for found in words if found.stems))
    kept = tuple(node for node in root.required if node not in unheld)
    notes = (*asked.notes, f"{note}: searched as words")
    return Understood(Group(wanted, kept, root.excluded), asked.codes, notes)


def _is_field(node: Node) -> bool:
    """Whether all of it stood behind the names of fields that compare."""
    return all(
        isinstance(leaf, Keyword)
        or (isinstance(leaf, Phrase) and leaf.field != "text")
        or (isinstance(leaf, Words) and leaf.text.startswith(CODE))
        for leaf in leaves(node)
    )


def _said(node: Node) -> str:
    return f"code {bare(node)}" if isinstance(node, Words) else bare(node)


def _in_words(leaf: Node) -> Words:
    if isinstance(leaf, Phrase):
        return Words(tuple(Counter(leaf.stems).items()))
    if isinstance(leaf, Keyword):
        return words_of(" ".join(leaf.values))
    return words_of(leaf.text.removeprefix(CODE)) if isinstance(leaf, Words) else Words()


def relaxed(asked: Understood) -> Understood | None:
    """The same question without the need for its phrases, for when nothing holds them.

    None if it asks for nothing else. What AND or + require stays required.
    """
    root = asked.root
    phrases = [node for node in root.required if isinstance(node, Phrase) and node.field == "text"]
    if not phrases or not (root.wanted or asked.codes):
        return None
    words = tuple(Words(tuple(Counter(phrase.stems).items())) for phrase in phrases)
    kept = tuple(node for node in root.required if node not in phrases)
    note = "nothing holds the phrase: searched for its words"
    return Understood(
        Group((*root.wanted, *words), kept, root.excluded), asked.codes, (*asked.notes, note)
    )
