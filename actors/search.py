"""Searches, answered from this node's index."""

from actors.actor import actor
from contracts.base import EncodedReply
from contracts.search import FusedQuery, SearchQuery
from contracts.similar import MoreLikeThis
from contracts.suggest import Suggest
from storage.index.searcher import IndexReader


@actor(queue="search", read=True)
def query(request: SearchQuery, index: IndexReader) -> EncodedReply:
    """The best hits as a SearchReply. Raises: IndexUnavailable, IndexBehind."""
    return EncodedReply(index.search(request))


@actor(queue="search", read=True)
def fused(request: FusedQuery, index: IndexReader) -> EncodedReply:
    """As `query`, with what is near by meaning. Raises: IndexUnavailable, IndexBehind."""
    return EncodedReply(index.search(request))


@actor(queue="search", read=True)
def suggest(request: Suggest, index: IndexReader) -> EncodedReply:
    """What may be meant by a few letters, as Suggestions. Raises: IndexUnavailable."""
    return EncodedReply(index.suggest(request))


@actor(queue="search", read=True)
def like(request: MoreLikeThis, index: IndexReader) -> EncodedReply:
    """What is like an entry or a text, as LikeEntries. Raises: EntryNotFound, IndexUnavailable."""
    return EncodedReply(index.like(request))
