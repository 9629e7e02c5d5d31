"""A PostgreSQL that stands still: /metrics says so, and shows everything else."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families

from actors.metrics import gather
from actors.metrics.collectors import Ground, Lag, Pool
from actors.metrics.exporter import Exporter, Slot, export
from actors.metrics.meters import Meters
from contracts.position import Position
from deploy.postgres import EmbeddedPostgres
from storage.index.published import Published
from storage.index.searcher import IndexReader
from storage.postgres.migrations import migrate
from storage.postgres.store import Store
from tests.support.waiting import SOON


class Reader(IndexReader):
    """An index that was just published."""

    def published(self) -> Published:
        """At the feed's beginning."""
        return Published("v1-1", 1, Position("e", 0, 0), 1, 0)


@pytest.fixture
def postgres(tmp_path: Path) -> Iterator[EmbeddedPostgres]:
    """One that nobody else uses, with the schema."""
    server = EmbeddedPostgres(tmp_path / "server")
    server.start()
    try:
        migrate(server.url)
        yield server
    finally:
        server.stop()


@pytest.fixture
def exporter(postgres: EmbeddedPostgres, tmp_path: Path) -> Iterator[Exporter]:
    """A process that shows all that it asks PostgreSQL for."""
    store = Store(postgres.url)
    store.open()
    more = (Ground(store), Lag(Reader(tmp_path), store), Pool(store))
    slot = Slot(tmp_path, "importer")
    made = export(Meters(), slot, "127.0.0.1", 0, more)
    try:
        yield made
    finally:
        made.stop()
        slot.release()
        store.close()


@contextmanager
def standing_still(postgres: EmbeddedPostgres) -> Iterator[None]:
    """The server and all of its processes."""
    assert postgres.process
    server = psutil.Process(postgres.process.pid)
    family = [server, *server.children(recursive=True)]
    try:
        for one in family:
            one.send_signal(signal.SIGSTOP)
        yield
    finally:
        for one in family:
            one.send_signal(signal.SIGCONT)


def shown(exporter: Exporter) -> dict[str, float]:
    """Samples by name, as /metrics of the node reads them; none from a process that is too slow."""
    text = gather.read(exporter.url) or ""
    return {
        sample.name: sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_a_server_that_hangs_takes_only_its_own_numbers(
    postgres: EmbeddedPostgres, exporter: Exporter
) -> None:
    """However often it is read; all are there again with the server."""
    own = {"casebook_feed_held_seconds", "casebook_index_behind_seconds"}
    before = shown(exporter)
    assert before["casebook_database_up"] == 1 and own <= set(before)
    with standing_still(postgres):
        for _ in range(3):
            found = shown(exporter)
            assert found["casebook_database_up"] == 0
            assert set(before) - set(found) >= own
            for name in ("casebook_build_info", "casebook_index_generation"):
                assert found[name] == 1
            assert "casebook_pool_connections_max" in found
    end = time.monotonic() + SOON
    while not own <= set(shown(exporter)):  # the questions that hung are answered first
        assert time.monotonic() < end, "it is not asked again"
