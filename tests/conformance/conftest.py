"""Runs each law with each broker; where dramatiq's own are known to break one is listed here."""

from collections.abc import Callable, Iterator

import dramatiq
import pytest
from dramatiq.middleware import Middleware

from tests.conformance.contenders import CONTENDERS, Contender

#: (broker, law) → why it breaks it. Strict: a law that is kept after all is a failure too.
KNOWN_FAILURES = {
    ("redis", "test_a_retry_survives_a_lost_connection"): (
        "Bogdanp/dramatiq#545: the retry is enqueued first and acked after, whatever came of it"
    ),
    ("redis", "test_undecodable_bodies_are_kept"): (
        "Bogdanp/dramatiq#375: the consumer is thrown away with all that it had prefetched"
    ),
    ("redis", "test_misshapen_messages_are_kept"): "Bogdanp/dramatiq#375, or kept as other bytes",
    ("redis", "test_an_unknown_actor_is_not_dead_at_once"): "Bogdanp/dramatiq#336: dead on arrival",
    ("redis", "test_stop_hands_back_what_was_prefetched"): (
        "Bogdanp/dramatiq#159: handed back only after the running message has ended"
    ),
    ("stub", "test_undecodable_bodies_are_kept"): "Bogdanp/dramatiq#375: they are dropped",
    ("stub", "test_misshapen_messages_are_kept"): "Bogdanp/dramatiq#375, or kept as other bytes",
    ("stub", "test_an_unknown_actor_is_not_dead_at_once"): "Bogdanp/dramatiq#336: dead on arrival",
    ("stub", "test_stop_hands_back_what_was_prefetched"): "never handed back",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the known failures."""
    for item in items:
        if isinstance(item, pytest.Function) and hasattr(item, "callspec"):
            broker = item.callspec.params.get("broker_name")
            reason = KNOWN_FAILURES.get((broker, item.originalname))
            if reason is not None:
                item.add_marker(pytest.mark.xfail(strict=True, reason=reason))


@pytest.fixture(params=list(CONTENDERS))
def broker_name(request: pytest.FixtureRequest) -> str:
    """Which broker this run of the test is about."""
    name: str = request.param
    return name


@pytest.fixture
def contend(
    broker_name: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Contender]]:
    """Makes the broker, with middleware and behind a proxy as the test likes."""
    # Otherwise a lost connection costs dramatiq's worker 3-5 s.
    monkeypatch.setattr("dramatiq.worker.POST_PROCESS_MESSAGE_RETRY_DELAY_SECS", 0.1)
    monkeypatch.setattr("dramatiq.worker.CONSUMER_RESTART_DELAY_SECS", 0.1)
    encoder = dramatiq.get_encoder()
    made: list[Contender] = []

    def make(*extra: Middleware, url: str = redis_url) -> Contender:
        made.append(CONTENDERS[broker_name](url, redis_url, extra))
        return made[-1]

    yield make
    for contender in made:
        contender.close()
    dramatiq.set_encoder(encoder)


@pytest.fixture
def contender(contend: Callable[..., Contender]) -> Contender:
    """The broker, as plain as it comes."""
    return contend()
