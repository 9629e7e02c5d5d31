"""Which answers are kept, under which key, and when a kept one may be given.

Both who answers and who warms go by this: nothing else knows what a key is made of.
"""

import functools
import time
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from importlib.metadata import version
from types import MappingProxyType
from typing import Any

import orjson
from pydantic import BaseModel

from contracts.analytics_answers import (
    Answer,
    AskActivity,
    AskDashboard,
    AskEntry,
    AskLatency,
    AskReport,
    Dashboard,
    EntryMetrics,
    ListQueries,
    ListUsedEntries,
)
from contracts.entries import Entry, GetEntry
from contracts.position import Position
from contracts.search import SearchQuery, SearchReply
from contracts.similar import LikeEntries, MoreLikeThis
from contracts.suggest import Suggest, Suggestions
from storage.cache.layer import NOTHING, Kept
from storage.index.freshness import Fresh

KEEP = 86_400.0  # seconds: as the last known answer it may be given so long
SKEW = 5.0  # seconds that an answer may seem to come from the future: clocks are apart
PAGES = 100  # hits that are skipped at most in an answer that is kept: few ask for what follows


@dataclass(frozen=True)
class Rule:
    """How long the answers to one operation may be given; all of it in seconds."""

    request: type[BaseModel]
    reply: type[BaseModel]
    #: As the answer of now; 0: never.
    fresh: float
    #: After that, while another is being computed.
    again: float = 0.0
    #: It comes from the index, and is fresh only while nothing that it looked at is touched.
    placed: bool = True
    #: It is fresh only while this tag is not invalidated; where nobody can tell, for UNTOLD.
    tag: str = ""
    #: It is one entry: kept with what was published when it was asked for (`untouched`).
    entry: bool = False


#: Made from roll-ups: each one invalidates it.
STATISTICS = "statistics"
#: There is a roll-up a minute; of one whose word did not arrive, answers hear by their age.
ROLLED_UP = 70.0
UNTOLD = 2.0
#: What no position covers (use, age, words that became frequent) is as old as this at most.
SEARCHES = 600.0


def _rolled_up(request: type[BaseModel], reply: type[BaseModel]) -> Rule:
    return Rule(request, reply, ROLLED_UP, again=20.0, placed=False, tag=STATISTICS)


def _for_a_bad_day(
    request: type[BaseModel], reply: type[BaseModel], *, entry: bool = False
) -> Rule:
    return Rule(request, reply, 0.0, placed=False, entry=entry)


RULES: Mapping[str, Rule] = MappingProxyType(
    {
        "search.query": Rule(SearchQuery, SearchReply, SEARCHES),
        "search.suggest": Rule(Suggest, Suggestions, SEARCHES, again=60.0),
        "search.like": Rule(MoreLikeThis, LikeEntries, SEARCHES),
        "analytics_answers.dashboard": _rolled_up(AskDashboard, Dashboard),
        "analytics_lists.queries": _rolled_up(ListQueries, Answer),
        "analytics_lists.entries": _rolled_up(ListUsedEntries, Answer),
        # Who has written an entry reads what they wrote: always asked for, kept for a bad day.
        "entries.get": _for_a_bad_day(GetEntry, Entry, entry=True),
        "analytics_answers.report": _for_a_bad_day(AskReport, Answer),
        "analytics_answers.latency": _for_a_bad_day(AskLatency, Answer),
        "analytics_lists.activity": _for_a_bad_day(AskActivity, Answer),
        "analytics_lists.entry": _for_a_bad_day(AskEntry, EntryMetrics),
    }
)


def is_kept(operation: str, request: BaseModel) -> bool:
    """Whether the answer to this request is kept at all."""
    if not isinstance(request, SearchQuery):
        return operation in RULES
    first = request.cursor is None and request.offset <= PAGES
    return first and request.mode == "lexical" and not request.explain


def key_of(operation: str, request: BaseModel) -> str:
    """The key of a request's answer. What it has to have reached (`after`) makes no difference."""
    asked = request.model_dump_json(exclude_defaults=True, exclude=_NOT_ASKED).encode()
    return digest(_shape(operation) + asked)


def digest(text: bytes) -> str:
    """A short name for it."""
    return blake2b(text, digest_size=16).hexdigest()


_NOT_ASKED = {"after"}


@functools.cache
def _shape(operation: str) -> bytes:
    """What a release makes of the operation: answers of another shape are not even found."""
    rule = RULES[operation]
    schemas = (rule.request.model_json_schema(), rule.reply.model_json_schema())
    shape = orjson.dumps([operation, version("casebook"), schemas], option=orjson.OPT_SORT_KEYS)
    return digest(shape).encode()


def kept_of(
    operation: str,
    body: bytes,
    asked: float,
    token: str | None = None,
    seen: Fresh | None = None,
) -> Kept:
    """An answer as it is kept. `asked`: when its computation began, in Unix seconds; `token`: what
    the operation's tag had before; `seen`: what was published before."""
    rule = RULES[operation]
    if rule.entry and seen is not None:
        return Kept(body, str(seen.position), asked, meta={"edition": seen.edition})
    if not rule.placed:
        return Kept(body, made_at=asked, meta={"token": token} if token else NOTHING)
    told = orjson.loads(body)
    # A worker of an older release does not tell: its answer is never taken for one of now.
    meta = {"edition": told.get("edition", "")}
    if told.get("did_you_mean"):  # a guess rests on the words of all entries
        meta["wide"] = "1"
    return Kept(body, told.get("position", ""), asked, meta=meta)


def age_of(kept: Kept, now: float | None = None) -> float:
    """Seconds since it was asked for."""
    return max(0.0, (time.time() if now is None else now) - kept.made_at)


def is_fresh(
    operation: str, request: BaseModel, kept: Kept, seen: Fresh | None, token: str | None = None
) -> bool:
    """Whether a kept answer is the answer of now; `seen` is what is published, `token` what the
    operation's tag has; None for unknown.

    One that was made in the future is not: whoever made it has another clock.
    """
    rule = RULES[operation]
    most = UNTOLD if rule.tag and token is None else rule.fresh
    if not -SKEW <= time.time() - kept.made_at <= most or not most:
        return False
    if rule.tag and token is not None and kept.meta.get("token") != token:
        return False
    if not reaches(kept, request):
        return False
    return not rule.placed or (seen is not None and _holds(request, kept, seen))


def may_wait(operation: str, request: BaseModel, kept: Kept) -> bool:
    """Whether it may be given while another is being computed."""
    rule = RULES[operation]
    # What is placed goes stale by a commit, any other by its age.
    most = rule.again if rule.placed else rule.again + rule.fresh
    soon = -SKEW <= time.time() - kept.made_at <= most
    return rule.again > 0 and soon and reaches(kept, request)


def untouched(kept: Kept, seen: Fresh | None) -> bool:
    """Whether an entry's category was not touched since that was read; False where nobody can
    tell. A write of it would have touched it."""
    if seen is None:
        return False
    category = orjson.loads(kept.body).get("category", "")
    made: Any = kept.meta.get("edition", "")
    return seen.valid(kept.position, made, (category,), asked=kept.made_at)


def reaches(kept: Kept, request: BaseModel) -> bool:
    """Whether it is new enough for who has written something (`after`)."""
    after = getattr(request, "after", None)
    return after is None or Position.parse(kept.position).reaches(Position.parse(after))


def looks_at(request: BaseModel, kept: Kept | None = None) -> tuple[str, ...]:
    """The categories that the answer is made of; none: of everything.

    A count by category leaves the filter by category out, and counts everything.
    """
    wide = kept is not None and "wide" in kept.meta
    if wide or not isinstance(request, SearchQuery) or "category" in request.facets:
        return ()
    return request.category


def _holds(request: BaseModel, kept: Kept, seen: Fresh) -> bool:
    made: Any = kept.meta.get("edition", "")
    return seen.valid(kept.position, made, looks_at(request, kept), asked=kept.made_at)
