"""Spans of this process on their way to a collector, under the ids of our own stories."""

import hashlib
import logging
import os
import re
import threading
from collections.abc import Mapping, Sequence
from importlib.metadata import version

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import (
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

from actors.telemetry.pushing import Pushing
from contracts.operation import TRACEPARENT, current

log = logging.getLogger(__name__)

ENDING = 3.0  # seconds that what is left may take to be sent
HEX = re.compile(r"(?!0{32})[0-9a-f]{32}")

Value = str | int | float | bool


class Open:
    """A span that has begun."""

    def __init__(self, span: Span) -> None:
        self._span = span
        found = span.get_span_context()
        #: Under which others go on (https://www.w3.org/TR/trace-context/).
        self.traceparent = f"00-{found.trace_id:032x}-{found.span_id:016x}-{found.trace_flags:02x}"

    def end(
        self,
        *,
        name: str | None = None,
        error: str = "",
        at: int | None = None,
        about: Mapping[str, Value] | None = None,
    ) -> None:
        """It has ended, now or at so many ns of Unix time."""
        if name is not None:
            self._span.update_name(name)
        self._span.set_attributes(about or {})
        if error:
            self._span.set_attribute("error.type", error)
            self._span.set_status(Status(StatusCode.ERROR, error))
        self._span.end(at)


class Telemetry:
    """One a process. Sending is done by threads; nobody waits for it, and nothing is kept for it.

    Where the collector is away spans are dropped, with one warning until it is back.
    """

    def __init__(
        self, *, process: str, node: str, traces: bool = True, metrics: bool = True
    ) -> None:
        # They log each failure, with a traceback; `_Telling` tells the first one.
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
        self._resource = _resource(process, node)
        self._exporter = _Telling(OTLPSpanExporter()) if traces else None
        self._provider = TracerProvider(
            resource=self._resource, id_generator=_Ours(), shutdown_on_exit=False
        )
        if self._exporter is not None:
            self._provider.add_span_processor(BatchSpanProcessor(self._exporter))
        self._tracer = self._provider.get_tracer("casebook", version("casebook"))
        self.pushing = Pushing(self._resource) if metrics else None

    def open(
        self,
        name: str,
        kind: str,
        parent: str,
        *,
        at: int | None = None,
        about: Mapping[str, Value] | None = None,
    ) -> Open:
        """Begin a span under `parent` (a traceparent; "": the first of its operation)."""
        found = TRACEPARENT.fullmatch(parent)
        context = None
        if found:
            trace, span, flags = (int(part, 16) for part in parent.split("-")[1:4])
            remote = SpanContext(trace, span, is_remote=True, trace_flags=TraceFlags(flags))
            context = set_span_in_context(NonRecordingSpan(remote))
        return Open(
            self._tracer.start_span(
                name,
                context or set_span_in_context(NonRecordingSpan(SpanContext(0, 0, False))),
                SpanKind[kind.upper()],
                about,
                start_time=at,
            )
        )

    def flush(self) -> None:
        """Send what there is, and wait for it."""
        self._provider.force_flush()

    def stop(self) -> None:
        """Send what is left, for ENDING seconds at most."""
        if self.pushing is not None:
            self.pushing.stop()
        ending = threading.Thread(target=self._provider.shutdown, name="otel", daemon=True)
        if self._exporter is not None and self._exporter.away:
            self._exporter.abandon()
        ending.start()
        ending.join(ENDING)
        if ending.is_alive() and self._exporter is not None:
            self._exporter.abandon()


class _Telling(SpanExporter):
    """Warns once when the collector goes away, and says when it is back."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self.away = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        reason = "it refused them"
        try:
            result = self._exporter.export(spans)
        except Exception as error:  # whatever theirs meets, ours go on
            result, reason = SpanExportResult.FAILURE, type(error).__name__
        away = result is not SpanExportResult.SUCCESS
        if away and not self.away:
            log.warning("spans can't be sent to the collector (%s): they are dropped", reason)
        elif self.away and not away:
            log.info("spans are sent to the collector again")
        self.away = away
        return result

    def abandon(self) -> None:
        """End an attempt that goes on."""
        self._exporter.shutdown()

    shutdown = abandon


class _Ours(RandomIdGenerator):
    """A trace has its operation's id, so that both stories are found by one."""

    def generate_trace_id(self) -> int:
        operation_id = current().replace("-", "")
        if HEX.fullmatch(operation_id):
            return int(operation_id, 16)
        if not operation_id:
            return super().generate_trace_id()
        return int.from_bytes(hashlib.sha256(operation_id.encode()).digest()[:16], "big")


def _resource(process: str, node: str) -> Resource:
    ours: dict[str, Value] = {
        "service.version": version("casebook"),
        "service.instance.id": f"{node}-{process}-{os.getpid()}",
        "casebook.process": process,
        "host.name": node,
        "process.pid": os.getpid(),
    }
    if not _names_service(os.environ):
        ours["service.name"] = "casebook"
    return Resource.create(ours)


def _names_service(environment: Mapping[str, str]) -> bool:
    more = environment.get("OTEL_RESOURCE_ATTRIBUTES", "")
    return bool(environment.get("OTEL_SERVICE_NAME")) or "service.name=" in more
