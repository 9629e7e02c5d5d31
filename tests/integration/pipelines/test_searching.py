"""Searches by words and meaning, when nobody tells what is near."""

import logging
from pathlib import Path

import orjson
import pytest

from actors import entries, index
from actors.broker.client import Client
from actors.index import Again
from actors.nudge import Nudge
from actors.queues import producer_broker
from contracts.entries import CreateEntry, EntryFields
from contracts.errors import NoReply
from contracts.search import FollowIndex, SearchQuery
from pipelines.searching import find
from storage.index.follower import Follower
from tests.support.house import NODE, House
from tests.support.waiting import run

TIMEOUT = 4.0  # seconds, of which the half is waited for what is near


def test_the_words_are_answered_when_nobody_tells_what_is_near(
    house: House, own_redis_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A hybrid search says so and finds; one by meaning alone has nothing to find with."""
    caplog.set_level(logging.CRITICAL)
    follower = Follower(tmp_path / "index", house.store)
    house.broker.resources |= {Follower: follower, Again: Again(Nudge(house.broker, NODE))}
    entries.create(CreateEntry(entry=EntryFields(title="disk full")), house.store)
    house.call(index.follow, FollowIndex())
    follower.close()

    async def scenario() -> bytes:
        async with Client(producer_broker(own_redis_url, NODE)) as client:
            with pytest.raises(NoReply):
                await find(client, SearchQuery(q="disk", mode="semantic"), timeout=0.1)
            return await find(client, SearchQuery(q="disk", mode="hybrid"), timeout=TIMEOUT)

    with house.running("search"):  # and none on `semantic`, as while PostgreSQL stands still
        reply = orjson.loads(run(scenario()))
    assert [hit["title"] for hit in reply["hits"]] == ["disk full"]
    assert "by words alone: NO_REPLY" in reply["interpreted_as"]
