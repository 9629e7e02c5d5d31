"""From what a person types to what they ask for. Never raises, and its work is bounded.

The language is in grammar.py. What can't be read in it is searched as plain words, and a note
says so; a pasted log is not read in it at all.
"""

import re

from contracts.search import QUERY_MAX
from storage.index import fields
from storage.index.codes import find_codes
from storage.index.grammar import (
    Boosted,
    Fuzzy,
    Group,
    Keyword,
    Node,
    Pattern,
    Phrase,
    Understood,
    Words,
    capped,
    firm,
    leaves,
)
from storage.index.inexact import inexact, is_open, opened, unread
from storage.index.lexer import OPERATORS, Kind, Token, lex
from storage.index.plain import PHRASE_WORDS_MAX, is_strict, needed, words_of
from storage.index.prose import meant
from storage.index.quotes import unquoted
from storage.index.text import clean, every_word
from storage.index.typed import typed_codes

PARTS_MAX = 64  # phrases, patterns, misspelt words, fields and groups in one query
WILD = 4  # parts that a pattern or a misspelt word is as much as: many words are looked up for it
DEPTH_MAX = 20  # parentheses in parentheses
PASTED = 400  # characters: a longer text is no query that somebody typed
BOOST_MAX = 100.0  # times that something counts at most, its boosts multiplied

#: `~3` behind a phrase lets its words stand apart in other languages.
_SLOP = re.compile(r"~\d{0,3}")
_BOOST = re.compile(r"\d{1,10}(?:\.\d{1,10})?")


class _Unreadable(Exception):
    """The text is not in the language; the message says why."""


def understand(q: str) -> Understood:
    """Read a query. Only its first QUERY_MAX characters are read."""
    text = clean(q[:QUERY_MAX])
    notes = [f"only the first {QUERY_MAX:,} characters were read"] if len(q) > QUERY_MAX else []
    if len(text) > PASTED or "\n" in text.strip():
        return _plain(text, [*notes, "read as pasted text: its codes and its rarest words"])
    try:
        return _Parser(text, notes).query()
    except _Unreadable as reason:
        return _plain(text, [*notes, f"{reason}: searched as plain words"])


def _plain(text: str, notes: list[str]) -> Understood:
    found = words_of(text)
    root = Group(wanted=(found,) if found.stems else ())
    return Understood(root, found.codes, tuple(notes), found.codes)


def _codes(said: list[str], found: list[Node]) -> tuple[str, ...]:
    """Each code of what was said, and of the words that were found in it, once."""
    text = " ".join(said)
    more = [code for leaf in found if isinstance(leaf, Words) for code in leaf.codes]
    return tuple(dict.fromkeys([*find_codes(text), *typed_codes(text), *more]))


class _Parser:
    """Reads the tokens of one query, each once."""

    def __init__(self, text: str, notes: list[str]) -> None:
        self._tokens = unquoted(meant(lex(text), notes), notes)
        self._notes = notes
        self._at = self._parts = self._unwanted = 0
        self._within = ""  # the field before the parenthesis that is read
        self._said: list[str] = []  # all that is not excluded: what codes are looked for in
        self._joined: set[int] = set()  # places in it of what is an alternative to something else

    def query(self) -> Understood:
        written = self._group(0)
        if self._at < len(self._tokens):
            raise _Unreadable("a parenthesis is closed that was not opened")
        root = capped(written, BOOST_MAX)
        if root != written:
            self._notes.append(f"nothing counts more than {BOOST_MAX:g} times")
        codes = _codes(self._said, leaves(root))
        return Understood(root, codes, tuple(self._notes), self._firm(root) if codes else ())

    def _firm(self, root: Group) -> tuple[str, ...]:
        """The codes that are no alternative to something else."""
        alone = [said for at, said in enumerate(self._said) if at not in self._joined]
        return _codes(alone, firm(root))

    def _peek(self) -> Kind | None:
        return self._tokens[self._at].kind if self._at < len(self._tokens) else None

    def _take(self) -> Token:
        if self._at == len(self._tokens):
            raise _Unreadable("it ends where something is to come")
        self._at += 1
        return self._tokens[self._at - 1]

    def _group(self, depth: int) -> Group:
        """Clauses up to the end or to the parenthesis that closes."""
        if depth > DEPTH_MAX:
            raise _Unreadable(f"more than {DEPTH_MAX} parentheses in each other")
        run: list[str] = []
        wanted: list[Node] = []
        required: list[Node] = []
        excluded: list[Node] = []
        while (kind := self._peek()) not in (None, Kind.CLOSE):
            must = kind is Kind.SIGN and not self._is_refusal()
            node = self._any(depth)
            if isinstance(node, str) and not must:
                run.append(node)
                wanted += [opened(node)] if node[-1:] == "?" and is_open(node) else []
            elif isinstance(node, Group) and self._is_condition(node):
                required += node.required
                excluded += node.excluded
                wanted += node.wanted
            elif found := needed(node):
                strict = must or (not self._within and is_strict(found))
                (required if strict else wanted).append(found)
        if OPERATORS.keys() >= {*run} and (wanted or required):
            run = []  # beside what is joined, an operator at an end is nothing
        if run and (words := words_of(" ".join(run))).stems:
            wanted.insert(0, words)
        if len(wanted) == 1 and isinstance(wanted[0], Group) and not (required or excluded):
            return wanted[0]
        return Group(tuple(wanted), tuple(required), tuple(excluded), bool(self._within))

    def _is_condition(self, node: Group) -> bool:
        """Whether it holds beside all else: what AND joins, unless that is one of the values of a
        field, and what is refused."""
        return bool(node.required and not self._within) or not (node.required or node.wanted)

    def _is_refusal(self) -> bool:
        token = self._tokens[self._at] if self._at < len(self._tokens) else None
        return token is not None and (
            token.kind is Kind.NOT or (token.kind is Kind.SIGN and token.text == "-")
        )

    def _refused(self, depth: int) -> list[Node]:
        self._take()
        self._unwanted += 1
        node = needed(self._unit(depth))
        self._unwanted -= 1
        return [node] if node else []

    def _any(self, depth: int) -> Node | str | None:
        begun = len(self._said)
        nodes = [self._all(depth)]
        while self._peek() is Kind.OR:
            self._take()
            nodes.append(self._all(depth))
        if len(nodes) == 1:
            return nodes[0]
        self._joined.update(range(begun, len(self._said)))
        return Group(tuple(found for node in nodes if (found := needed(node))), either=True)

    def _all(self, depth: int) -> Node | str | None:
        """What AND joins, each with its own NOT or sign; a plus adds nothing to AND."""
        joined: list[Node | str | None] = []
        refused: list[Node] = []
        while True:
            if self._is_refusal():
                refused += self._refused(depth)
            else:
                if self._peek() is Kind.SIGN:
                    self._take()
                joined.append(self._unit(depth))
            if self._peek() is not Kind.AND:
                break
            self._take()
        if len(joined) == 1 and not refused:
            return joined[0]
        group = Group(required=tuple(filter(None, map(needed, joined))), excluded=tuple(refused))
        return group if group != Group() else None

    def _unit(self, depth: int) -> Node | str | None:
        if self._peek() in (None, Kind.CLOSE, Kind.SIGN, *OPERATORS.values()):
            raise _Unreadable("AND, OR, NOT or a sign stands without something to join")
        node = self._primary(depth)
        if self._peek() is Kind.BOOST:
            return self._boosted(node, self._take().text)
        return node

    def _boosted(self, node: Node | str | None, factor: str) -> Node | str | None:
        if not _BOOST.fullmatch(factor):
            self._notes.append(f"^{factor} was left out")
            return node
        found = needed(node)
        return Boosted(found, float(factor)) if found else None

    def _primary(self, depth: int) -> Node | str | None:
        token = self._take()
        if token.kind is Kind.BOOST:
            self._unread(f"^{token.text}")
            return token.text
        if token.kind is Kind.WORD and not self._within:
            return self._word(token)
        self._part()
        if token.kind in (Kind.WORD, Kind.QUOTE) and self._within:
            return self._value(self._within, token)
        if token.kind is Kind.OPEN:
            return self._parenthesis(depth)
        if token.kind is Kind.FIELD:
            return self._field(token.text, depth)
        return self._quote(token)

    def _parenthesis(self, depth: int) -> Node | None:
        """What stands up to the parenthesis that closes the one just read."""
        group = self._group(depth + 1)
        if self._peek() is not Kind.CLOSE:
            raise _Unreadable("a parenthesis is not closed")
        self._take()
        return group if group != Group() else None

    def _part(self, worth: int = 1) -> None:
        """Count what costs the engine more than a word does."""
        self._parts += worth
        if self._parts > PARTS_MAX:
            wild = f"{PARTS_MAX // WILD} patterns and misspelt words"
            raise _Unreadable(f"more than {PARTS_MAX} phrases, fields and parentheses, or {wild}")

    def _say(self, text: str) -> None:
        if not self._unwanted:
            self._said.append(text)

    def _quote(self, token: Token) -> Node | str | None:
        text = token.text.removesuffix("*")
        self._say(text)
        if token.glued:  # DSN="A.B" was copied from somewhere
            return text
        stems = tuple(every_word().analyze(text)[:PHRASE_WORDS_MAX])
        return Phrase(stems, prefix=token.text.endswith("*")) if stems else None

    def _word(self, token: Token) -> Node | str | None:
        text = token.text
        if token.glued and _SLOP.fullmatch(text):
            self._notes.append(f"{text} after a phrase was left out")
            return None
        if found := inexact(text):
            self._part(WILD)
            if isinstance(found, Fuzzy):
                self._say(text.split("~")[0])
            return found
        self._say(text)
        if text[-1:] == "?" and is_open(text):
            self._part(WILD)
            self._notes.append(f"{text} was read as a pattern, too")
        self._unread(text)
        return text

    def _unread(self, text: str) -> None:
        if signs := unread(text):
            self._notes.append(f"{text[:40]} was read without its {signs}")

    def _field(self, name: str, depth: int) -> Node | str | None:
        """A value, a phrase or a group of them after `name:`."""
        token = self._take()
        if token.kind is Kind.OPEN:
            outside, self._within, begun = self._within, name, len(self._said)
            group = self._parenthesis(depth)
            self._within = outside
            self._joined.update(range(begun, len(self._said)))
            alone = not (isinstance(group, Group) and group.required and group.wanted)
            return group if alone else Group(required=tuple(filter(None, [group])))
        if token.kind in (Kind.WORD, Kind.QUOTE):
            return self._value(name, token)
        return self._not_a_value(name, token.text)

    def _value(self, name: str, token: Token) -> Node | str:
        node = fields.read(name, token.text, quoted=token.kind is Kind.QUOTE)
        if node is None:
            return self._not_a_value(name, token.text)
        if isinstance(node, Pattern | Fuzzy):
            self._part(WILD)
        if name in (*fields.TEXTS, "code") and not isinstance(node, Pattern):
            self._say(f"{name} {token.text}")
        if token.kind is Kind.WORD and not isinstance(node, Pattern | Fuzzy):
            self._literal(token.text, node)
        return node

    def _literal(self, value: str, node: Node) -> None:
        if isinstance(node, Keyword) and unread(value.removesuffix("*" if node.prefix else "")):
            self._notes.append(f"{value[:40]} was taken as it stands")
        elif isinstance(node, Words) or (isinstance(node, Phrase) and not node.prefix):
            self._unread(value)

    def _not_a_value(self, name: str, value: str) -> str:
        self._notes.append(f"{value[:40]} is no {name}: searched as words")
        self._say(f"{name}:{value}")
        return f"{name}:{value}"
