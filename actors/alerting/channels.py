"""The ways to tell people: the log, a webhook, e-mail. Each tells once, and says when it failed."""

import hashlib
import hmac
import http.client
import logging
import smtplib
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import EmailMessage
from urllib.parse import SplitResult, unquote, urlsplit

from contracts.alerts import Alert, AlertState
from contracts.base import new_id
from contracts.errors import ChannelResting, CircuitOpen, DatabaseUnavailable, NotTold
from storage.breaker import Attempt, Breakers

log = logging.getLogger(__name__)

WITHIN = 10.0  # seconds that a channel may take
AWAY = 60.0  # seconds that PostgreSQL may be away until somebody is told
OVER = "It is over."  # what is told of a resolved alert: what to do about it is so no more
SIGNATURE = "X-Casebook-Signature"


@dataclass(frozen=True)
class Channels:
    """Where alerts are sent; a resource made by the worker's root from its settings."""

    webhook: str = ""
    webhook_secret: str = ""
    smtp: str = ""
    sender: str = ""
    recipients: tuple[str, ...] = ()
    #: HOST or HOST:PORT, in lower case, to which matches of saved searches may be posted.
    hosts: tuple[str, ...] = ()
    breakers: Breakers = field(default_factory=Breakers, repr=False, compare=False)

    def all(self) -> dict[str, Callable[[Alert], None]]:
        """Those that are set up, by name."""
        found: dict[str, Callable[[Alert], None]] = {"log": _note}
        if self.webhook:
            found["webhook"] = self._post
        if self.smtp and self.recipients:
            found["email"] = self._mail
        return found

    def may_post(self, url: str) -> bool:
        """Whether a webhook that a client named is on one of the hosts that settings allow."""
        return bool(url) and urlsplit(url).netloc.lower() in self.hosts

    def _post(self, alert: Alert) -> None:
        self.post(self.webhook, alert.model_dump_json().encode())

    def post(self, url: str, body: bytes) -> None:
        """Post JSON, signed. Raises: NotTold; ChannelResting where its host is left alone."""
        place = urlsplit(url)
        headers = {"Content-Type": "application/json", "User-Agent": "casebook"}
        if self.webhook_secret:
            headers[SIGNATURE] = signature(self.webhook_secret, int(time.time()), body)
        with self._attempt("webhook", place, NotTold):
            status = _posted(place, body, headers)
            if status >= 500:
                raise NotTold(channel="webhook", reason=f"it answered {status}")
        if not 200 <= status < 300:
            raise NotTold(channel="webhook", reason=f"it answered {status}")

    def _mail(self, alert: Alert) -> None:
        place = urlsplit(self.smtp)
        try:
            with (
                self._attempt("email", place, OSError),
                _connected(place.scheme, place.hostname or "", place.port) as server,
            ):
                if place.username:
                    server.login(unquote(place.username), unquote(place.password or ""))
                server.send_message(letter(alert, self.sender, self.recipients))
        except (OSError, smtplib.SMTPException) as error:
            raise NotTold(channel="email", reason=str(error)) from error

    def _attempt(self, channel: str, place: SplitResult, *faults: type[Exception]) -> Attempt:
        """Each host has a breaker of its own. Raises: ChannelResting."""
        port = f":{place.port}" if place.port else ""
        try:
            return self.breakers.of(f"{channel} {place.hostname}{port}").attempt(*faults)
        except CircuitOpen as error:
            reason = "it failed again and again and is left alone for a moment"
            raise ChannelResting(channel=channel, reason=reason, **error.details) from None


class Outage:
    """Tells that PostgreSQL is away, where alerts live: kept in this process alone."""

    def __init__(self, channels: Channels) -> None:
        self._channels = channels
        self._lock = threading.Lock()
        self._began: tuple[float, datetime] | None = None
        self._told: Alert | None = None

    @contextmanager
    def asking(self) -> Iterator[None]:
        """While PostgreSQL is asked.

        It is away where it refuses, and also while it is silent (stopped, or behind a network that
        drops everything): that holds up the caller, and no socket tells of it, so a timer does.
        """
        with self._lock:
            self._began = self._began or (time.monotonic(), datetime.now(UTC))
            left = AWAY - (time.monotonic() - self._began[0])
        timer = threading.Timer(max(0.0, left) + 0.1, self._goes_on)  # rather late than too early
        timer.daemon = True
        timer.start()
        answered = True
        try:
            yield
        except DatabaseUnavailable:
            answered = False
            raise
        finally:
            timer.cancel()
            self._is_over() if answered else self._goes_on()

    def _goes_on(self) -> None:
        with self._lock:
            away = time.monotonic() - self._began[0] if self._began else 0.0
            if self._began is None or self._told is not None or away < AWAY:
                return
            self._told = Alert(
                id=new_id(),
                rule="CasebookDatabaseAway",
                subject="",
                severity="page",
                state=AlertState.FIRING,
                value=away,
                threshold=AWAY,
                message=f"PostgreSQL has been away for {away:.0f} s; writes wait for it in Redis.",
                since=self._began[1],
                changed_at=datetime.now(UTC),
            )
            self._tell(self._told)

    def _is_over(self) -> None:
        with self._lock:
            if self._told is not None:
                now = datetime.now(UTC)
                update = {"state": AlertState.RESOLVED, "changed_at": now, "message": OVER}
                self._tell(self._told.model_copy(update=update))
            self._began = self._told = None

    def _tell(self, alert: Alert) -> None:
        for tell in self._channels.all().values():
            try:
                tell(alert)
            except NotTold as error:
                log.warning("%s was not told: %s", alert.rule, error.details)


def _posted(place: SplitResult, body: bytes, headers: dict[str, str]) -> int:
    """The status that is answered. Raises: NotTold where none is."""
    https = place.scheme == "https"
    kind = http.client.HTTPSConnection if https else http.client.HTTPConnection
    connection = kind(place.hostname or "", place.port, timeout=WITHIN)
    try:
        path = (place.path or "/") + (f"?{place.query}" if place.query else "")
        connection.request("POST", path, body, headers)
        return connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        raise NotTold(channel="webhook", reason=str(error)) from error
    finally:
        connection.close()


def signature(secret: str, at: int, body: bytes) -> str:
    """`t=UNIX SECONDS,v1=HEX`: HMAC-SHA256 of the time, a point and the body.

    Whoever receives it computes the same, and refuses what is minutes old (a replay).
    """
    digest = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"


def letter(alert: Alert, sender: str, recipients: tuple[str, ...]) -> EmailMessage:
    """What is mailed. The header can hold no line ends, whatever a queue is called."""
    found = EmailMessage()
    subject = " ".join(alert.subject.split())
    state = f"[{alert.state.value}] {alert.rule}"
    found["Subject"] = f"{state}: {subject}" if subject else state
    found["From"] = sender or "casebook@localhost"
    found["To"] = ", ".join(recipients)
    found["Message-ID"] = f"<{alert.id}.{alert.state.value}@casebook>"
    since = f"since {alert.since:%Y-%m-%d %H:%M %Z}"
    lines = [alert.message, "", f"severity {alert.severity}", since]
    if alert.state != AlertState.RESOLVED:
        lines.append(f"casebook alerts ack {alert.id}")
    found.set_content("\n".join((*lines, "")))
    return found


def _connected(scheme: str, host: str, port: int | None) -> smtplib.SMTP:
    """With TLS where the server has it: `smtps://` from the start, `smtp://` by STARTTLS."""
    if scheme == "smtps":
        return smtplib.SMTP_SSL(
            host, port or 465, timeout=WITHIN, context=ssl.create_default_context()
        )
    server = smtplib.SMTP(host, port or 25, timeout=WITHIN)
    server.ehlo()
    if server.has_extn("starttls"):
        server.starttls(context=ssl.create_default_context())
        server.ehlo()
    return server


def _note(alert: Alert) -> None:
    level = logging.INFO if alert.state == "resolved" else logging.WARNING
    text = f"{alert.subject}: {alert.message}" if alert.subject else alert.message
    text = " ".join(text.split())  # on one line, whatever is in it
    log.log(level, "alert %s %s %s", alert.rule, alert.state, text)
