"""Whether this process tells a collector what it does; without the extra nothing is imported."""

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING

from actors.broker.broker import StreamsBroker
from actors.metrics.meters import Collects

if TYPE_CHECKING:
    from actors.telemetry.tracing import Telemetry

log = logging.getLogger(__name__)

ANY = "OTEL_EXPORTER_OTLP_ENDPOINT"


def wanted(environment: Mapping[str, str], signal: str) -> bool:
    """Whether `traces` or `metrics` are sent: an endpoint is named, and nothing forbids it."""
    name = signal.upper()
    off = environment.get("OTEL_SDK_DISABLED", "").lower() == "true"
    none = environment.get(f"OTEL_{name}_EXPORTER", "").lower() == "none"
    named = environment.get(f"OTEL_EXPORTER_OTLP_{name}_ENDPOINT") or environment.get(ANY)
    return bool(named) and not off and not none


def telemetry(environment: Mapping[str, str], *, process: str, node: str) -> "Telemetry | None":
    """What tells it; None where nobody asked for it, or the extra is missing."""
    if not any(wanted(environment, signal) for signal in ("traces", "metrics")):
        return None
    try:
        from actors.telemetry.tracing import Telemetry
    except ImportError as error:
        log.warning("OTEL_* variables are set, but %s; install casebook[otel]", error)
        return None
    return Telemetry(
        process=process,
        node=node,
        traces=wanted(environment, "traces"),
        metrics=wanted(environment, "metrics"),
    )


def collect(collector: "Telemetry", broker: StreamsBroker, families: Collects | None) -> None:
    """Tell `collector` of what this broker sends and runs, and of what is measured."""
    from actors.middleware.telemetry import install

    install(broker, collector)
    if collector.pushing is not None and families is not None:
        collector.pushing.show(families)
