"""deploy/prometheus and deploy/grafana name only what is measured, and say what our rules say."""

import asyncio
import re
import shutil
import subprocess
from pathlib import Path

import orjson
import pytest
import yaml
from prometheus_client import generate_latest

from actors.alerting.rules import RULES
from actors.broker.admission import Admission
from actors.broker.broker import StreamsBroker
from actors.metrics import collectors
from actors.metrics.caching import Caches
from actors.metrics.meters import Meters
from contracts.position import Position
from storage.breaker import Breakers
from storage.cache.hot import Hot
from storage.cache.layers import Cache
from storage.index.published import Published
from storage.index.searcher import IndexReader
from storage.postgres.store import Store

DEPLOY = Path(__file__).parents[2] / "deploy"
NAME = re.compile(r"\b(?:casebook|process)_[a-z_]+")
#: From prometheus-client's own collector, where the system has /proc.
PROCESS = {"process_resident_memory_bytes", "process_cpu_seconds_total"}
SUFFIX = re.compile(r"_(?:bucket|count|sum|total)$")


def rules() -> dict[str, dict[str, object]]:
    """Prometheus's rules by name."""
    groups = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text())["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


def expressions() -> list[str]:
    """Everything that Prometheus is asked."""
    dashboard = orjson.loads((DEPLOY / "grafana" / "casebook.json").read_bytes())
    panels = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    return panels + [str(rule["expr"]) for rule in rules().values()]


def test_every_metric_that_they_name_exists(
    own_redis_url: str, store: Store, tmp_path: Path
) -> None:
    """As the processes show them, on real servers."""

    class Reader(IndexReader):
        def published(self) -> Published:
            """An index that was just published."""
            return Published("v1-1", 1, Position("e", 0, 0), 1, 0)

    broker = StreamsBroker(own_redis_url)
    broker.declare_queue("tests")
    loop = asyncio.new_event_loop()
    loop.close()  # names are told without it
    families = {family.name for family in Meters().registry.collect()}
    for collector in (
        collectors.Queues(broker),
        collectors.Ground(store),
        collectors.Lag(Reader(tmp_path), store),
        collectors.Pool(store),
        collectors.Disk(tmp_path),
        collectors.Circuits(Breakers()),
        Caches(Cache(Hot(1_000)), loop),
        collectors.Admissions(Admission()),
        collectors.Dropped(),
    ):
        families |= {family.name for family in collector.collect()}
    named = {name for text in expressions() for name in NAME.findall(text)} - {"process"}
    unknown = {name for name in named - PROCESS if SUFFIX.sub("", name) not in families}
    assert not unknown - families


def test_prometheus_has_our_rules() -> None:
    """Of the same name, severity, threshold and patience; and some that only it can judge."""
    theirs = rules()
    for rule in RULES:
        found = theirs[rule.name]
        assert found["labels"] == {"severity": rule.severity}
        assert f"> {rule.threshold:g}" in str(found["expr"])
        assert found["for"] == f"{rule.hold:g}s"
    more = set(theirs) - {rule.name for rule in RULES}
    assert more == {
        *("CasebookDatabaseAway", "CasebookRedisAway", "CasebookAway", "CasebookOverloaded"),
        "CasebookLeftAlone",
    }


@pytest.mark.skipif(shutil.which("promtool") is None, reason="Debian's package prometheus has it")
@pytest.mark.parametrize("what", ["config", "rules", "metrics"])
def test_promtool_finds_nothing(what: str) -> None:
    """Rules, configuration, and names and help of what each process counts."""
    files = {"config": "prometheus.yml", "rules": "alerts.yml"}
    meters = Meters()
    meters.ran("q", 'an "actor"\n', 0.1, 0.0, "done")
    meters.answered("GET", "/v1/search", 200, 0.1)
    command = ["promtool", "check", what]
    if what in files:
        command.append(str(DEPLOY / "prometheus" / files[what]))
    done = subprocess.run(
        command, input=generate_latest(meters.registry), capture_output=True, check=False
    )
    assert (done.returncode, done.stderr.decode()) == (0, ""), done.stdout.decode()
