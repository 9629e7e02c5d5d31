"""What `casebook doctor` says of the cache's instance."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from actors.broker.link import Link
from pipelines.doctor_cache import examine


@pytest.fixture
def queues(redis_url: str) -> Iterator[Link]:
    """The queues' instance."""
    link = Link(redis_url)
    yield link
    link.close()


def told(url: str | None, queues: Link) -> set[tuple[str, str]]:
    """Level and text of each finding."""
    return {(one.level, one.found) for one in examine(url, queues)}


def test_one_as_it_should_be(cache_url: str, queues: Link) -> None:
    """The embedded one gives no cause for anything."""
    [(level, text)] = told(cache_url, queues)
    assert level == "well" and text.startswith("answers within")


def test_none_is_no_fault(queues: Link) -> None:
    """Who has no warm layer is told so, and doctor's exit code stays 0."""
    [(level, text)] = told(None, queues)
    assert level == "well" and "CASEBOOK_CACHE_URL" in text


def test_what_is_wrong_with_it(cache_url: str, redis: Redis, queues: Link) -> None:
    """No bound, no eviction, a file that it writes: each is told with what to do."""
    redis.config_set("maxmemory-policy", "noeviction")
    redis.config_set("maxmemory", 0)
    redis.config_set("appendonly", "yes")
    try:
        found = examine(cache_url, queues)
    finally:
        redis.config_set("appendonly", "no")
    assert all(one.level == "warning" and one.remedy for one in found)
    text = " ".join(one.found for one in found)
    assert len(found) == 3 and all(word in text for word in ("bound", "noeviction", "append-only"))


def test_the_queues_own(redis_url: str, queues: Link) -> None:
    """One instance for both is wrong, whichever database its URL names."""
    assert ("wrong", "is the queues' instance: answers take messages' memory") in told(
        f"{redis_url}?db=9", queues
    )


def test_one_that_is_away(tmp_path: Path, queues: Link) -> None:
    """A warning: everything works without it."""
    [(level, text)] = told(f"unix://{tmp_path}/none.sock", queues)
    assert level == "warning" and text.startswith("does not answer")
