"""How many of the entries that a search finds have each value: what it can be narrowed by."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import tantivy

from contracts.search import SearchQuery
from storage.index.filters import Filters
from storage.index.names import Names
from storage.index.schema import STEP, key

PATHS_MAX = 1_000  # categories that a tree is made of
#: Values that each segment hands in, so that a frequent one is not lost between them.
SEGMENT_SIZE = 1_000

Buckets = list[tuple[str, int]]


def counted(
    searcher: tantivy.Searcher,
    narrowed: Callable[[Filters], tantivy.Query],
    filters: Filters,
    request: SearchQuery,
    names: Names,
) -> dict[str, list[dict[str, Any]]]:
    """For each facet that is asked for its most frequent values, as FacetValues.

    `narrowed` gives the query with some of the filters.

    A facet is counted without its own filter: who has chosen a category sees how many entries
    the others hold, and can change over. Tags come on top of each other instead: who has chosen
    one sees how many entries have another as well. All of one query are counted in one go.
    """
    free = [name for name in request.facets if name == "tag" or name not in filters.by_name]
    rounds = [(free, filters)] if free else []
    rounds += [([name], filters.without(name)) for name in request.facets if name not in free]
    found: dict[str, Buckets] = {}
    for facets, others in rounds:
        found |= count_values(searcher, narrowed(others), facets, request.facet_limit)
    if "tag" in found:
        found["tag"] = _with_chosen(found["tag"], map(key, request.tag), request.facet_limit)
    return {
        name: _tree(found[name], request.facet_limit)
        if name == "category"
        else _flat(found[name], names.several(searcher, name, found[name]))
        for name in request.facets
    }


def count_values(
    searcher: tantivy.Searcher, query: tantivy.Query, facets: Iterable[str], most: int
) -> dict[str, Buckets]:
    """The most frequent values of each facet; of categories all, as paths."""
    wanted = {
        name: {
            "terms": {
                "field": "path" if name == "category" else name,
                "size": PATHS_MAX if name == "category" else most,
                "segment_size": SEGMENT_SIZE,
            }
        }
        for name in facets
    }
    counts = searcher.aggregate(query, wanted)
    return {
        name: sorted(
            ((bucket["key"], bucket["doc_count"]) for bucket in counts[name]["buckets"]),
            key=lambda bucket: (-bucket[1], bucket[0]),
        )
        for name in wanted
    }


def _with_chosen(buckets: Buckets, chosen: Iterable[str], most: int) -> Buckets:
    """The chosen tags first, however many stand beside them: each is in all that was found."""
    total = max((count for _, count in buckets), default=0)
    first = dict.fromkeys(chosen, total)
    return list((first | dict(buckets)).items())[: max(most, len(first))]


def _flat(buckets: Buckets, names: dict[str, str]) -> list[dict[str, Any]]:
    return [{"value": value, "name": names[value], "count": count} for value, count in buckets]


@dataclass
class _Branch:
    """A category: the entries in it and in its parts."""

    name: str = ""
    count: int = 0
    parts: dict[str, "_Branch"] = field(default_factory=dict)


def _tree(buckets: Buckets, most: int) -> list[dict[str, Any]]:
    """The categories under their parents, `most` of each."""
    top = _Branch()
    for path, count in buckets:
        branch = top
        for name in path.split(STEP):
            branch = branch.parts.setdefault(key(name), _Branch(name))
            branch.count += count
    return _shown(top, most)


def _shown(branch: _Branch, most: int) -> list[dict[str, Any]]:
    parts = sorted(branch.parts.items(), key=lambda part: (-part[1].count, part[0]))[:most]
    return [
        {"value": value, "name": part.name, "count": part.count, "children": _shown(part, most)}
        for value, part in parts
    ]
