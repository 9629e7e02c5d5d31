"""While PostgreSQL is given up: writes wait a moment where they are, reads are refused at once."""

import threading
from typing import Any

import dramatiq
import pytest

from actors.broker.delivery import Delivery
from actors.middleware import patience
from actors.middleware.patience import Patience
from storage.breaker import State
from storage.postgres.store import Store
from tests.support.house import House
from tests.support.waiting import SOON


def given_up(store: Store) -> None:
    """Its breaker opens, and it is looked for."""
    for _ in range(5):
        store.breaker.attempt().failed()
    store.lookout.begin()


def delivery(**options: Any) -> Delivery:
    """A message that a worker has in hand."""
    message = dramatiq.Message("q", "actor", (), {}, options)
    return Delivery(message, origin="waiting", entry=b"1-0", crashes=0, body=b"")


def test_a_write_waits_until_postgresql_is_back(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It sets out in that moment."""
    monkeypatch.setattr(patience, "AWAY_TIMEOUT", SOON)
    given_up(house.store)
    assert house.store.breaker.state is State.OPEN
    Patience().before_process_message(house.broker, delivery())
    assert house.store.breaker.state is State.CLOSED


def test_a_read_does_not_wait(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is for its caller to decide."""
    monkeypatch.setattr(patience, "AWAY_TIMEOUT", threading.TIMEOUT_MAX)
    nowhere = Store("postgresql://nobody@127.0.0.1:1/none")
    given_up(nowhere)
    house.broker.resources[Store] = nowhere
    read = delivery(deadline=1)
    run = threading.Thread(
        target=Patience().before_process_message, args=(house.broker, read), daemon=True
    )
    run.start()
    run.join(SOON)
    nowhere.lookout.stop()
    assert not run.is_alive()
