"""Synonyms of what has to be there, and those that are codes."""

from dataclasses import replace

from storage.index.fields import CODE
from storage.index.forgive import SYNONYMS_MAX, Thesaurus
from storage.index.grammar import Boosted, Group, Node, Synonyms, Understood, Words, leaves


def with_synonyms(asked: Understood, thesaurus: Thesaurus) -> Understood:
    """`asked` with synonyms for the words in its conditions and alternatives, any of which will do
    there, and with the codes that mean the same as its words, wherever they stand.

    Words that stand side by side have theirs already. What is excluded, phrases and fields are
    meant as they are written.
    """
    if not thesaurus:
        return asked
    adding = _Adding(thesaurus)
    root = asked.root
    wanted = tuple(node if isinstance(node, Words) else adding.to(node) for node in root.wanted)
    required = tuple(map(adding.to, root.required))
    said = [leaf for node in (*wanted, *required) for leaf in leaves(node)]
    codes = (
        code
        for leaf in said
        if isinstance(leaf, Synonyms) and not leaf.category
        for code in leaf.codes
    )
    everything = tuple(dict.fromkeys((*asked.codes, *codes)))
    return replace(asked, root=replace(root, wanted=wanted, required=required), codes=everything)


class _Adding:
    """Adds SYNONYMS_MAX sets to one query at most."""

    def __init__(self, thesaurus: Thesaurus) -> None:
        self._thesaurus = thesaurus
        self._room = SYNONYMS_MAX

    def to(self, node: Node) -> Node:
        """`node`, or it and what means the same as alternatives."""
        if isinstance(node, Boosted):
            return Boosted(self.to(node.node), node.factor)
        if isinstance(node, Group):
            wanted, required = (
                tuple(map(self.to, nodes)) for nodes in (node.wanted, node.required)
            )
            return replace(node, wanted=wanted, required=required)
        if not isinstance(node, Words) or node.text.startswith(CODE):
            return node
        found = tuple(dict.fromkeys(self._thesaurus.said(node.text)))[: self._room]
        self._room -= len(found)
        return Group((node, *found)) if found else node
