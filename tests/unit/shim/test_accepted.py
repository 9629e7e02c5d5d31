"""202: what is said of a write that is kept."""

import orjson
import pytest

from actors import entries
from contracts.errors import WriteWaiting
from shim.backend import accepted


@pytest.mark.parametrize("why", ["", "Its queue is paused."])
def test_a_kept_write_says_what_it_waits_for(why: str) -> None:
    """As the error does; for PostgreSQL where that says nothing else. And how to follow it."""
    reply = accepted(entries.create, WriteWaiting(why, task="t1", key="k1"))
    detail = orjson.loads(reply.body)["detail"]
    assert (why or "as soon as PostgreSQL is back") in detail
    assert "/v1/tasks/t1" in detail
    assert reply.status_code == 202
