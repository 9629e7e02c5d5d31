"""Metrics: bounded in number, sound whatever the labels hold, one exposition of many."""

import logging
import urllib.request
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, Counter, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from actors.metrics.exporter import Slot, export
from actors.metrics.gather import circuits, listed, merged, read
from actors.metrics.meters import OTHER, SERIES, Meters, Named
from contracts.operation import begin, current, enter
from storage.breaker import Breakers

OPENMETRICS = "application/openmetrics-text; version=1.0.0"
CALLER = "4bf92f3577b34da6a3ce929d0e0e4736"


def shown(meters: Meters, process: str = "p") -> str:
    """The text that `meters` make."""
    return generate_latest(Named(meters.registry, process)).decode()  # type: ignore[arg-type]  # it asks for `collect` alone


def samples(text: str, name: str) -> dict[tuple[str, ...], float]:
    """The values of one name by the values of its labels, in the labels' order."""
    return {
        tuple(sample.labels[label] for label in sorted(sample.labels)): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name
    }


def test_a_flood_of_names_ends_in_one_series() -> None:
    """However many distinct names come, a family has no more than SERIES and one of them."""
    meters = Meters()
    for number in range(5 * SERIES):
        meters.ran("q", f"actor {number}", 0.01, 0.0, "done")
        meters.answered("GET", f"/{number}", 200, 0.01)
    for name in ("casebook_deliveries_total", "casebook_http_request_seconds_count"):
        found = samples(shown(meters), name)
        assert len(found) == SERIES + 1
        assert max(found.values()) == 4 * SERIES
        assert any(OTHER in labels for labels in found)


def test_labels_with_quotes_and_newlines_stay_one_sample() -> None:
    """They are escaped on the way out, and survive being merged."""
    evil = 'a"b\\c\nd\u2028e\x85{}# EOF'
    meters = Meters()
    meters.ran("q", evil, 0.01, 0.0, "done")
    text = merged([shown(meters, "one"), shown(meters, "two")])
    found = samples(text, "casebook_deliveries_total")
    assert found == {(evil, "done", process, "q"): 1.0 for process in ("one", "two")}


def test_a_clock_that_was_set_back_makes_no_negative_wait() -> None:
    """A message from the future waited for no time."""
    meters = Meters()
    meters.ran("q", "a", 0.01, -3600.0, "done")
    assert samples(shown(meters), "casebook_wait_seconds_sum") == {("p", "q"): 0.0}


def test_processes_are_read_as_one(tmp_path: Path) -> None:
    """Each process of a role has a name of its own; one that has ended is not listed any more."""
    slots = [Slot(tmp_path, "worker") for _ in range(2)]
    assert [slot.name for slot in slots] == ["worker-0", "worker-1"]
    exporters = [export(Meters(), slot, "127.0.0.1", 0) for slot in slots]
    found = listed(tmp_path)
    assert sorted(found) == ["worker-0", "worker-1"]
    text = merged([read(url) or "" for url in found.values()])
    assert text.count("# TYPE casebook_build_info") == 1
    assert {labels[0] for labels in samples(text, "casebook_build_info")} == set(found)
    exporters[0].stop()
    slots[0].release()
    assert sorted(listed(tmp_path)) == ["worker-1"]
    assert read(found["worker-0"]) is None
    again = Slot(tmp_path, "worker")
    assert again.name == "worker-0"
    exporters[1].stop()
    for slot in (again, slots[1]):
        slot.release()


def test_a_port_that_is_taken_is_no_end(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The second process of a host shows itself on another, and says so."""
    (tmp_path / "file").touch()
    nowhere = Slot(tmp_path / "file", "worker")
    first = export(Meters(), nowhere, "127.0.0.1", 0)
    port = int(first.url.rpartition(":")[2].partition("/")[0])
    with caplog.at_level(logging.WARNING):
        second = export(Meters(), nowhere, "127.0.0.1", port)
    assert f"127.0.0.1:{port}" in caplog.text
    for exporter in (first, second):
        with urllib.request.urlopen(exporter.url.replace("/metrics", "/healthz")) as reply:
            assert reply.read() == b"alive\n"
        exporter.stop()


def test_circuit_breakers_are_shown(tmp_path: Path) -> None:
    """As a gauge and a counter; and for those who ask for nothing else, by process."""
    breakers = Breakers()
    breakers.of("well")
    for _ in range(5):
        breakers.of("broken").attempt().failed()
    slot = Slot(tmp_path, "worker")
    exporter = export(Meters(), slot, "127.0.0.1", 0, (), breakers)
    text = read(exporter.url) or ""
    found = {(one.process, one.name, one.state, one.openings) for one in circuits(tmp_path)}
    exporter.stop()
    slot.release()
    states = samples(text, "casebook_circuit_state")
    assert states["broken", "worker-0", "open"] == states["well", "worker-0", "closed"] == 1
    assert sum(states.values()) == 2
    openings = samples(text, "casebook_circuit_openings_total")
    assert openings == {("broken", "worker-0"): 1, ("well", "worker-0"): 0}
    assert found == {("worker-0", "well", "closed", 0), ("worker-0", "broken", "open", 1)}
    assert circuits(tmp_path) == []


def test_a_bucket_has_an_exemplar_a_second() -> None:
    """What follows in the same second is counted, and told of where it is in another bucket."""
    try:
        meters = Meters()
        for operation_id, seconds in (("a", 0.2), ("b", 0.2), ("c", 20.0)):
            enter(operation_id)
            meters.ran("q", "a", seconds, 0.0, "done")
        (family,) = meters.actors.family.collect()
        told = [one.exemplar.labels["operation_id"] for one in family.samples if one.exemplar]
        (count,) = [one.value for one in family.samples if one.name.endswith("_count")]
        assert (told, count) == (["a", "c"], 3)
    finally:
        enter("")


def test_an_exemplar_names_the_operation(tmp_path: Path) -> None:
    """In OpenMetrics; the caller's own id and span, where its traceparent has them."""
    try:
        assert begin(f"00-{CALLER}-00f067aa0ba902b7-01") == current() == CALLER
        meters = Meters()
        meters.ran("q", "a", 0.2, 0.0, "done")
        slot = Slot(tmp_path, "worker")
        exporter = export(meters, slot, "127.0.0.1", 0)
        text = read(exporter.url, OPENMETRICS) or ""
        exporter.stop()
        slot.release()
        assert f'# {{operation_id="{CALLER}",span_id="00f067aa0ba902b7"}} 0.2' in text
        assert merged([text, text]).endswith("# EOF\n")
    finally:
        enter("")


@pytest.mark.parametrize(
    "header", ["", "x", f"ff-{CALLER}-00f067aa0ba902b7-01", f"00-{'0' * 32}-00f067aa0ba902b7-01"]
)
def test_an_unreadable_traceparent_begins_an_operation_of_its_own(header: str) -> None:
    """As the specification asks for; ids are 32 hexadecimal digits all the same."""
    made = begin(header)
    enter("")
    assert made != CALLER
    assert len(made) == 32 and int(made, 16)


def test_the_library_still_escapes() -> None:
    """What `merged` relies on: no raw line end within a sample."""
    registry = CollectorRegistry()
    Counter("c", "about\nit", ["l"], registry=registry).labels("a\nb").inc()
    assert "a\nb" not in generate_latest(registry).decode()
