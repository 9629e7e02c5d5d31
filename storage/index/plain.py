"""Plain words: as what an entry may hold, as what it has to, and in place of a phrase."""

from collections import Counter

from storage.index.codes import find_codes
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
from storage.index.text import every_word, telling_words

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
