"""Traces and metrics as a collector gets them, over the wire."""

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Response
from prometheus_client import CollectorRegistry, Counter, Histogram

from actors import entries
from actors.metrics.meters import Meters
from actors.middleware.telemetry import install
from actors.telemetry import start
from actors.telemetry.tracing import Telemetry
from contracts import operation
from contracts.entries import CreateEntry, EntryFields
from settings import Settings
from shim.metrics import Measured
from tests.support.collector import Collector
from tests.support.house import House, Work, work
from tests.support.spans import Told
from tests.support.waiting import SOON, run, take

CALLER = "0af7651916cd43dd8448eb211c80319c"
ABOVE = "b7ad6b7169203331"
FIELDS = EntryFields(title="title", problem="problem", solution="solution")


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    """Where the variables point to."""
    found = Collector()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", found.url)
    yield found
    found.stop()


@pytest.fixture
def told(collector: Collector, house: House) -> Iterator[Telemetry]:
    """What the house's process tells it, when a test says that it is to be sent."""
    found = Telemetry(process="worker", node="n1")
    install(house.broker, found)
    yield found
    found.stop()


def parents(spans: list[Any]) -> dict[str, str]:
    """The name of each span's parent, by its own name; an id where that is nobody's here."""
    names = {one.span_id: one.name for one in spans}
    return {one.name: names.get(one.parent_span_id, one.parent_span_id.hex()) for one in spans}


def attributes(span: Any) -> dict[str, Any]:
    """What is said of it."""
    return {
        one.key: one.value.string_value or one.value.int_value or one.value.double_value
        for one in span.attributes
    }


def app(house: House, told: Telemetry) -> httpx.ASGITransport:
    """A shim of one route, which sends a message."""
    found = FastAPI()
    found.state.collector, found.state.spans = told, None
    found.add_middleware(Measured, meters=None)

    @found.post("/v1/entries/{name}")
    async def create(name: str) -> Response:
        house.send(entries.create, CreateEntry(entry=FIELDS, key=name))
        return Response(status_code=202)

    return httpx.ASGITransport(found)


def test_a_request_is_one_trace_from_http_to_sql(
    house: House, told: Telemetry, collector: Collector
) -> None:
    """Under the caller's span and trace: request, enqueue, wait, actor, each statement."""
    ended = Told(house)

    async def ask() -> None:
        async with httpx.AsyncClient(transport=app(house, told), base_url="http://x") as http:
            headers = {"traceparent": f"00-{CALLER}-{ABOVE}-01"}
            await http.post("/v1/entries/secret-name", headers=headers)

    with house.running("entries"):
        run(ask())
        take(ended.came, 1)
    told.flush()
    spans = collector.spans()
    assert {one.trace_id.hex() for one in spans} == {CALLER}
    found = parents(spans)
    request = "POST /v1/entries/{name}"
    assert found[request] == ABOVE
    assert found["enqueue entries.create"] == request
    assert found["wait entries"] == found["entries.create"] == "enqueue entries.create"
    assert found["sql entries.insert"] == "entries.create"
    by_name = {one.name: one for one in spans}
    assert attributes(by_name[request])["http.response.status_code"] == 202
    assert attributes(by_name["entries.create"])["casebook.outcome"] == "done"
    wait, actor, sql = (
        by_name[name] for name in ("wait entries", "entries.create", "sql entries.insert")
    )
    assert wait.end_time_unix_nano == actor.start_time_unix_nano
    assert actor.start_time_unix_nano <= sql.start_time_unix_nano
    assert sql.end_time_unix_nano <= actor.end_time_unix_nano
    assert "secret-name" not in str(spans)
    assert (ended.held, len(collector.spans())) == (1, 0)


def test_each_try_is_a_span_and_says_what_went_wrong(
    house: House, told: Telemetry, collector: Collector, caplog: pytest.LogCaptureFixture
) -> None:
    """An operation of our own is a trace of the same id, whose root is what was sent."""
    caplog.set_level("CRITICAL")
    ended = Told(house)
    house.works.broken.add("x")
    operation_id = operation.begin()
    with house.running("tests"):
        house.send(work, Work(text="x", key="k"))
        take(ended.came, 2)
    told.flush()
    spans = collector.spans()
    assert {one.trace_id.hex() for one in spans} == {operation_id}
    tries = [one for one in spans if one.name == work.name]
    assert [attributes(one)["casebook.outcome"] for one in tries] == ["retry", "dead"]
    assert {attributes(one)["error.type"] for one in tries} == {"RuntimeError"}
    assert {one.status.code for one in tries} == {2}
    (root,) = [one for one in spans if not one.parent_span_id]
    assert root.name == f"enqueue {work.name}"


def test_a_caller_who_samples_nothing_is_not_told_of(
    house: House, told: Telemetry, collector: Collector
) -> None:
    """The flag of its traceparent goes along with the message."""
    ended = Told(house)
    operation.begin(f"00-{CALLER}-{ABOVE}-00")
    with house.running("tests"):
        house.send(work, Work(text="x", key="k"))
        take(ended.came, 1)
    told.flush()
    assert collector.spans() == []


def test_a_collector_that_is_away_costs_one_warning(
    house: House, told: Telemetry, collector: Collector, caplog: pytest.LogCaptureFixture
) -> None:
    """Work goes on; spans are sent again when it is back, and that is said once."""
    caplog.set_level("INFO")
    collector.refusing = True
    for _ in range(3):
        told.open("x", "internal", "").end()
        told.flush()
    collector.refusing = False
    told.open("back", "internal", "").end()
    told.flush()
    assert [one.name for one in collector.spans()] == ["back"]
    said = [(one.levelname, one.name) for one in caplog.records if "collector" in one.message]
    assert said == [(level, "actors.telemetry.tracing") for level in ("WARNING", "INFO")]
    assert not [one for one in caplog.records if one.name.startswith("opentelemetry")]


def test_metrics_are_those_of_prometheus(told: Telemetry, collector: Collector) -> None:
    """Totals, and buckets that hold what is in them alone."""
    registry = CollectorRegistry()
    Counter("rows", "Rows.", ("as",), registry=registry).labels("created").inc(3)
    seconds = Histogram("seconds", "Seconds.", registry=registry, buckets=(1, 2))
    for value in (0.5, 1.5, 1.6, 9):
        seconds.observe(value)
    assert told.pushing is not None
    told.pushing.show(registry)
    told.pushing.push()
    path, request = collector.received.get(timeout=SOON)
    assert path == "/v1/metrics"
    (resource,) = request.resource_metrics
    assert {one.key: one.value.string_value for one in resource.resource.attributes}[
        "service.name"
    ] == "casebook"
    found = {one.name: one for one in resource.scope_metrics[0].metrics}
    (rows,) = found["rows"].sum.data_points
    assert (rows.as_double, found["rows"].sum.is_monotonic) == (3, True)
    (point,) = found["seconds"].histogram.data_points
    assert list(point.bucket_counts) == [1, 2, 1]
    assert (list(point.explicit_bounds), point.count, point.sum) == ([1, 2], 4, 12.6)


def test_exemplars_name_the_operation(told: Telemetry, collector: Collector) -> None:
    """With the trace and the span under which it was, and each of them once."""
    operation.enter(CALLER, parent=f"00-{CALLER}-{ABOVE}-01")
    meters = Meters()
    meters.ran("q", "a", 0.0015, 0, "done")
    operation.enter("an id of one's own")
    meters.ran("q", "a", 7.0, 0, "done")
    assert told.pushing is not None
    told.pushing.show(meters.registry)
    for expected in ({(CALLER, CALLER, ABOVE), ("an id of one's own", "", "")}, set()):
        told.pushing.push()
        _, request = collector.received.get(timeout=SOON)
        metrics = request.resource_metrics[0].scope_metrics[0].metrics
        (point,) = next(
            m for m in metrics if m.name == "casebook_actor_seconds"
        ).histogram.data_points
        assert {
            (one.filtered_attributes[0].value.string_value, one.trace_id.hex(), one.span_id.hex())
            for one in point.exemplars
        } == expected


@pytest.mark.parametrize(
    ("environment", "is_wanted"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c/v1/traces"}, True),
        ({"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://c/v1/metrics"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_SDK_DISABLED": "true"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c", "OTEL_TRACES_EXPORTER": "none"}, False),
    ],
)
def test_the_standard_variables_say_whether(environment: dict[str, str], is_wanted: bool) -> None:
    """They are no settings of ours, and none is refused."""
    assert start.wanted(environment, "traces") is is_wanted
    assert Settings.load(environment, find_servers=False)


def test_without_the_extra_nothing_is_imported() -> None:
    """What nobody asked for is not loaded; what is missing is named in one warning."""
    program = (
        "import sys; sys.modules['opentelemetry.sdk'] = None; import actors.worker, shim.app; "
        "from actors.telemetry.start import telemetry; "
        "assert telemetry({}, process='x', node='n') is None; "
        "assert 'actors.telemetry.tracing' not in sys.modules; "
        "variables = {'OTEL_EXPORTER_OTLP_ENDPOINT': 'http://localhost:1'}; "
        "assert telemetry(variables, process='x', node='n') is None"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("install casebook[otel]") == 1
