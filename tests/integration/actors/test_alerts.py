"""Alerts: raised by samples, told to people, acknowledged, over; and the error log in its table."""

import hashlib
import hmac
import logging
import queue
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import orjson
import psutil
import pytest

from actors import alerts, errors, health
from actors.alerting import channels
from actors.alerting.channels import OVER, SIGNATURE, Channels, Outage
from actors.broker.delivery import Done, Retry
from contracts.alerts import AcknowledgeAlert, Alert, AlertState, ListAlerts, NotifyAlert
from contracts.base import Nothing
from contracts.errors import AlertNotFiring, AlertNotFound, DatabaseUnavailable
from contracts.failures import ListFailures, RecordFailures, ResolveFailure
from contracts.health import ListSamples, NodeFacts
from deploy.postgres import EmbeddedPostgres
from storage.postgres.migrations import migrate
from storage.postgres.store import Store
from tests.integration.actors.writes import die, firing
from tests.support.courier import deliver
from tests.support.failures import seen
from tests.support.house import House
from tests.support.waiting import SOON, take

EVIL = 'a "queue"\r\nBcc: x@example.org'


def observe(house: House) -> None:
    """Take a sample, as if the last one were long past."""
    with house.store.transaction() as tx:
        tx.connection.execute("update health_samples set at = at - interval '15 seconds'")
    house.call(health.observe, Nothing())


def tell(house: House, node: str, disk_used: float) -> None:
    """Have this node's sample judged, 14.9 s after whichever was before."""
    with house.store.transaction() as tx:
        for what in ("health_samples set at = at", "alerts set since = since"):
            tx.connection.execute(f"update {what} - interval '14.9 seconds'".encode())
    house.call(health.judge, NodeFacts(node=node, disk_used=disk_used))


def listed(house: House, **filters: Any) -> list[Alert]:
    """Alerts as an operator sees them."""
    return list(house.call(alerts.list_page, ListAlerts(**filters)).alerts)


def full_disks(house: House, **filters: Any) -> list[Alert]:
    """Of one rule: nobody reads the queues of these tests, and that is told as well."""
    return [one for one in listed(house, **filters) if one.rule == "CasebookDiskLow"]


@contextmanager
def receiver(*statuses: int) -> Iterator[tuple[str, list[tuple[dict[str, str], bytes]]]]:
    """A web server that answers with these statuses; its URL, and what came."""
    came: list[tuple[dict[str, str], bytes]] = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            came.append((dict(self.headers), body))
            self.send_response(statuses[min(len(came), len(statuses)) - 1])
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name there
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Hook)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/hook?a=b", came
    finally:
        server.shutdown()
        thread.join(SOON)
        server.server_close()


@contextmanager
def post_office() -> Iterator[tuple[str, list[str]]]:
    """An SMTP server that takes one letter; its URL, and the lines of what it was told."""
    lines: list[str] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listener.accept()
        with connection, connection.makefile("rwb") as stream:

            def say(text: str) -> None:
                stream.write(f"{text}\r\n".encode())
                stream.flush()

            say("220 ready")
            for line in stream:
                lines.append(line.decode().rstrip("\r\n"))
                if lines[-1].lower() == "data":
                    say("354 go on")
                    while (text := stream.readline()) != b".\r\n":
                        lines.append(text.decode().rstrip("\r\n"))
                say("221 bye" if lines[-1].lower() == "quit" else "250 ok")

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"smtp://127.0.0.1:{listener.getsockname()[1]}", lines
    finally:
        thread.join(SOON)
        listener.close()


@contextmanager
def stopped(server: EmbeddedPostgres) -> Iterator[None]:
    """It and all its backends stand still: connected to, and silent."""
    assert server.process is not None
    first = psutil.Process(server.process.pid)
    family = [first, *first.children(recursive=True)]
    try:
        for one in family:
            one.suspend()
        yield
    finally:
        for one in family:
            one.resume()


def test_an_alert_is_raised_told_acknowledged_and_over(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    """Dead letters rise: it fires at once, is told once, and ends by itself."""
    observe(house)
    assert listed(house) == []
    die(house, "a")
    observe(house)
    (alert,) = listed(house)
    assert (alert.rule, alert.state, alert.value) == ("CasebookDeadLetters", "firing", 1.0)
    with caplog.at_level(logging.INFO), house.running("health"):
        house.until("select 1 from alerts where told ->> 'log' = 'firing'")
        observe(house)
    assert caplog.text.count("alert CasebookDeadLetters firing") == 1
    done = house.call(alerts.acknowledge, AcknowledgeAlert(id=alert.id, by="eve", note="mine"))
    assert (done.state, done.acknowledged_by) == ("acknowledged", "eve")
    observe(house)
    assert [one.state for one in listed(house)] == ["acknowledged"]
    with house.store.transaction() as tx:  # its ten minutes are over
        tx.connection.execute("update health_samples set at = at - interval '11 minutes'")
    observe(house)
    assert listed(house) == []
    (over,) = listed(house, everything=True)
    assert over.state == AlertState.RESOLVED
    with pytest.raises(AlertNotFiring):
        house.call(alerts.acknowledge, AcknowledgeAlert(id=alert.id))


def test_an_alert_is_one_event(house: House) -> None:
    """Sent when it begins to fire, under the alert's id: judged again it is no other event."""
    observe(house)
    die(house, "a")
    for _ in range(2):
        observe(house)
    (alert,) = listed(house)
    with house.running("analytics"):
        house.until("select 1 from events where kind = 'alert_raised'")
    (kept,) = house.rows("select id, details from events")
    assert (kept["id"], kept["details"]["rule"]) == (alert.id, "CasebookDeadLetters")


def test_what_holds_only_for_a_moment_alarms_nobody(house: House) -> None:
    """A rule has to hold for its time; till then it is pending, and leaves no trace."""
    observe(house)
    house.broker.register_queues()
    with house.store.transaction() as tx:
        tx.connection.execute(
            "insert into alerts (id, rule, subject, severity, state, value, threshold, message)"
            " values (gen_random_uuid(), 'CasebookMessageOld', 'q', 'warning', 'pending', 1, 1, '')"
        )
    pending = house.rows("select id from alerts")[0]["id"]
    with pytest.raises(AlertNotFound):
        house.call(alerts.acknowledge, AcknowledgeAlert(id=pending))
    observe(house)
    assert house.rows("select 1 from alerts") == []


def test_a_clock_that_jumps_back_leaves_no_alert_pending_for_ever(house: House) -> None:
    """What began in the future begins now; samples of the future are not looked at."""
    observe(house)
    die(house, "a")
    with house.store.transaction() as tx:
        tx.connection.execute("update health_samples set at = at + interval '1 hour'")
        tx.connection.execute(
            "insert into alerts (id, rule, subject, severity, state, value, threshold, message,"
            " since) values ('01890000-0000-7000-8000-000000000000', 'CasebookDeadLetters', '',"
            " 'warning', 'pending', 1, 0, '', now() + interval '1 hour')"
        )
    house.call(health.observe, Nothing())
    die(house, "b")
    with house.store.transaction() as tx:
        tx.connection.execute(
            "update health_samples set at = at - interval '6 seconds' where at <= now()"
        )
    house.call(health.observe, Nothing())
    assert [alert.state for alert in listed(house)] == ["firing"]


def test_a_webhook_gets_a_signed_alert_until_it_takes_it(house: House) -> None:
    """Tried again after a refusal; told once; whoever has the secret can tell that it is ours."""
    alert_id = firing(house)
    request = NotifyAlert(id=alert_id, state=AlertState.FIRING)
    with receiver(500, 204) as (url, came):
        house.broker.resources[Channels] = Channels(webhook=url, webhook_secret="s3cret")
        assert isinstance(deliver(house, alerts.notify.message(request)), Retry)
        for _ in range(2):
            assert isinstance(deliver(house, alerts.notify.message(request)), Done)
    assert len(came) == 2
    headers, body = came[-1]
    assert orjson.loads(body)["id"] == str(alert_id)
    at = headers[SIGNATURE].partition(",")[0].removeprefix("t=")
    expected = hmac.new(b"s3cret", f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    assert headers[SIGNATURE] == f"t={at},v1={expected}"


def test_a_webhook_that_fails_again_and_again_is_left_alone(house: House) -> None:
    """What waits for it uses up no attempt meanwhile; another host is told."""
    request = NotifyAlert(id=firing(house), state=AlertState.FIRING)
    with receiver(500) as (url, came):
        found = Channels(webhook=url)
        house.broker.resources[Channels] = found
        for _ in range(5):
            outcome = deliver(house, alerts.notify.message(request))
            assert isinstance(outcome, Retry) and outcome.options["retries"] == 1
        outcome = deliver(house, alerts.notify.message(request))
        assert isinstance(outcome, Retry) and "retries" not in outcome.options
        assert len(came) == 5
        with receiver(204) as (other, told):
            found.post(other, b"{}")
        assert len(told) == 1
    states = {circuit.name: circuit.state for circuit in found.breakers.circuits()}
    assert list(states.values()) == ["open", "closed"]


def test_an_alert_is_mailed(house: House) -> None:
    """A queue's name can't forge a header, whatever it holds."""
    alert_id = firing(house)
    with house.store.transaction() as tx:
        tx.connection.execute("update alerts set subject = %s", [EVIL])
    with post_office() as (url, lines):
        house.broker.resources[Channels] = Channels(
            smtp=url, sender="casebook@example.org", recipients=("ops@example.org",)
        )
        request = NotifyAlert(id=alert_id, state=AlertState.FIRING)
        assert isinstance(deliver(house, alerts.notify.message(request)), Done)
    assert "rcpt TO:<ops@example.org>" in lines
    assert not [line for line in lines if line.startswith("Bcc")]
    assert f"casebook alerts ack {alert_id}" in lines


def test_what_went_on_meanwhile_is_not_told(house: House) -> None:
    """A message that was late does not say "firing" of what is over."""
    alert_id = firing(house, "resolved")
    with receiver(204) as (url, came):
        house.broker.resources[Channels] = Channels(webhook=url)
        request = NotifyAlert(id=alert_id, state=AlertState.FIRING)
        assert isinstance(deliver(house, alerts.notify.message(request)), Done)
    assert came == []


def test_an_outage_of_postgresql_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once, after a while; and that it is over."""
    monkeypatch.setattr(channels, "AWAY", 0.0)
    with receiver(204) as (url, came):
        outage = Outage(Channels(webhook=url))
        for _ in range(3):
            with pytest.raises(DatabaseUnavailable), outage.asking():
                raise DatabaseUnavailable
        for _ in range(2):
            with outage.asking():
                pass
    told = [Alert.model_validate_json(body) for _, body in came]
    assert [one.rule for one in told] == ["CasebookDatabaseAway"] * 2
    assert [one.state for one in told] == ["firing", "resolved"]
    assert told[1].message == OVER


def test_a_postgresql_that_hangs_is_told(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It refuses nobody, and whoever asks it waits in the socket: told all the same, then over."""
    server = EmbeddedPostgres(tmp_path)
    server.start()
    store = Store(server.url)
    try:
        migrate(server.url)
        store.open()
        house.broker.resources[Store] = store
        house.call(health.observe, Nothing())  # the pool has a connection
        monkeypatch.setattr(channels, "AWAY", 0.1)
        told: queue.Queue[Alert] = queue.Queue()

        class Ears(Channels):
            def all(self) -> dict[str, Callable[[Alert], None]]:
                return {"ears": told.put}

        house.broker.resources[Outage] = Outage(Ears())
        asking = threading.Thread(target=house.call, args=(health.observe, Nothing()))
        with stopped(server):
            asking.start()
            (first,) = take(told, 1)
            assert asking.is_alive()
        asking.join(SOON)
        (second,) = take(told, 1)
        assert (first.rule, first.state) == ("CasebookDatabaseAway", "firing")
        assert (second.id, second.state) == (first.id, "resolved")
    finally:
        store.close()
        server.stop()


@pytest.mark.parametrize("order", ["abababababab", "aabbaabbaabb", "babbaababaab"])
def test_each_node_is_judged_by_its_own_samples(house: House, order: str) -> None:
    """Whichever worker takes which tick: a full disk fires for its node until that has space."""
    for node in order:
        tell(house, node, 0.95 if node == "a" else 0.1)
    (alert,) = full_disks(house, everything=True)
    assert (alert.subject, alert.state) == ("a", "firing")
    tell(house, "b", 0.1)
    assert [one.id for one in full_disks(house)] == [alert.id]
    tell(house, "a", 0.1)
    assert full_disks(house) == []
    (over,) = full_disks(house, everything=True)
    assert (over.id, over.state) == (alert.id, "resolved")


def test_a_node_that_has_vanished_has_no_alerts(house: House) -> None:
    """Told by nobody for eleven minutes, its alert is over."""
    for _ in range(6):
        tell(house, "a", 0.95)
    assert [one.subject for one in full_disks(house)] == ["a"]
    with house.store.transaction() as tx:
        tx.connection.execute("update health_samples set at = at - interval '11 minutes'")
    tell(house, "b", 0.1)
    assert full_disks(house) == []


def test_a_sample_that_comes_a_moment_early_counts(house: House) -> None:
    """A rule of 60 s has held after four intervals, though each was 0.1 s short."""
    for _ in range(4):
        tell(house, "a", 0.95)
    assert full_disks(house) == []
    tell(house, "a", 0.95)
    assert [one.state for one in full_disks(house)] == ["firing"]


def test_what_is_over_asks_for_nothing(house: House, caplog: pytest.LogCaptureFixture) -> None:
    """Of a resolved alert neither what to do is told, nor how to take it on."""
    alert_id = firing(house, "resolved")
    with house.store.transaction() as tx:
        tx.connection.execute("update alerts set subject = ''")
    with post_office() as (url, lines), caplog.at_level(logging.INFO):
        house.broker.resources[Channels] = Channels(smtp=url, recipients=("ops@example.org",))
        request = NotifyAlert(id=alert_id, state=AlertState.RESOLVED)
        assert isinstance(deliver(house, alerts.notify.message(request)), Done)
    assert OVER in lines and "old" not in lines
    assert not [line for line in lines if "alerts ack" in line]
    assert f"alert CasebookMessageOld resolved {OVER}" in caplog.messages


def test_health_is_kept(house: House) -> None:
    """Sample by sample, the newest first."""
    for _ in range(3):
        observe(house)
    found = house.call(health.history, ListSamples(limit=2)).samples
    assert len(found) == 2 and found[0].at > found[1].at
    assert found[0].numbers["connections"] >= 1


def test_errors_are_counted_in_groups_and_come_back(house: House) -> None:
    """Resolved, a group is out of the list until it is seen again."""
    one = seen(ValueError("first"), ValueError("second"))
    for _ in range(2):
        house.call(errors.record, RecordFailures(seen=(one,)))
    (found,) = house.call(errors.list_page, ListFailures()).errors
    assert (found.count, found.message, found.actor) == (4, "second", "tests.work")
    resolve = ResolveFailure(fingerprint=found.fingerprint, by="eve")
    assert house.call(errors.resolve, resolve).resolved_by == "eve"
    assert house.call(errors.list_page, ListFailures()).errors == ()
    assert house.call(errors.list_page, ListFailures(category="network", everything=True)) == (
        house.call(errors.list_page, ListFailures())
    )
    house.call(errors.record, RecordFailures(seen=(one,)))
    (again,) = house.call(errors.list_page, ListFailures()).errors
    assert (again.count, again.resolved_at) == (6, None)
