"""Everything is restarted in turn, as a new release would be: nobody who asks notices."""

import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import httpx
import psutil
import pytest

from tests.support.casebook import Casebook, running

PATIENCE = 60.0  # seconds for one thing to happen
CLIENTS = 4
ROUNDS = 2
PAUSE = 0.01  # seconds between a client's requests: what starts needs the CPU, too


@pytest.fixture
def casebook(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Casebook]:
    """One with two workers, whose processes may be stopped."""
    data = tmp_path_factory.mktemp("data")
    with running(data, "--sample", "--workers", "2") as casebook:
        yield casebook


@dataclass
class Load:
    """Clients that search, read and create until they are told to stop."""

    casebook: Casebook
    created: dict[str, str] = field(default_factory=dict)  # title -> id
    failed: list[str] = field(default_factory=list)
    asked: Counter[str] = field(default_factory=Counter)
    _ending: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> "Load":
        for number in range(CLIENTS):
            thread = threading.Thread(target=self._run, args=(number,))
            self._threads.append(thread)
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        for thread in self._threads:
            thread.join(PATIENCE)

    def _run(self, number: int) -> None:
        chance = random.Random(number)
        count = 0
        with self.casebook.http() as http:
            while not self._ending.wait(PAUSE):
                count += 1
                kind = chance.choice(("search", "search", "read", "create"))
                try:
                    reply = self._ask(http, kind, f"rolling {number} {count}")
                except httpx.HTTPError as error:
                    self.failed.append(f"{kind}: {error!r}")
                    continue
                self.asked[kind] += 1
                if not reply.is_success:
                    self.failed.append(f"{kind}: {reply.status_code} {reply.text}")

    def _ask(self, http: httpx.Client, kind: str, title: str) -> httpx.Response:
        if kind == "create":
            reply = http.post("/v1/entries", json={"title": title})
            if reply.status_code == 201:
                self.created[title] = reply.json()["entry"]["id"]
            return reply
        known = list(self.created.values())
        if kind == "read" and known:
            return http.get(f"/v1/entries/{known[-1]}")
        return http.get("/v1/search", params={"q": "S0C7"})


def restart(casebook: Casebook, victim: psutil.Process, mark: str) -> None:
    """SIGTERM, and wait until what was started in its place is ready."""
    others = {one.pid for one in casebook.children(mark)}
    victim.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + PATIENCE
    while not (new := {one.pid for one in casebook.children(mark)} - others):
        assert time.monotonic() < deadline, f"{mark} was not started again"
        time.sleep(0.02)
    ready = f"-{new.pop()}-"
    while not any(_says_ready(line, ready) for line in _log(casebook, mark)):
        assert time.monotonic() < deadline, f"{mark} did not become ready"
        time.sleep(0.02)


def _says_ready(line: str, name: str) -> bool:
    return name in line and 'is ready"' in line


def _log(casebook: Casebook, mark: str) -> list[str]:
    role = mark.split()[-1]
    files = (casebook.data / "logs").glob(f"{role}*.log")
    return [line for file in files for line in file.read_text().splitlines()]


def test_a_rolling_restart_fails_no_request(casebook: Casebook) -> None:
    """Each worker, the importer and the indexer, twice round, under load: only successes.

    Nothing is lost and nothing doubled, in PostgreSQL and in the index.
    """
    with Load(casebook) as load:
        for _ in range(ROUNDS):
            for role in ("worker", "importer", "indexer"):
                mark = f"actors.worker {role}"
                for victim in casebook.children(mark):
                    restart(casebook, victim, mark)
    assert load.failed == []
    assert min(load.asked[kind] for kind in ("search", "read", "create")) > CLIENTS
    assert _titles(casebook) == dict.fromkeys(load.created, 1)
    verified = casebook.run("status", "--verify", "--json").json["verified"]
    assert verified["agrees"], verified


def _titles(casebook: Casebook) -> Counter[str]:
    """How often each of the load's titles is there."""
    found: Counter[str] = Counter()
    cursor: dict[str, str] = {}
    with casebook.http() as http:
        while True:
            page = http.get("/v1/entries", params={"limit": 500, **cursor}).json()
            titles = (entry["title"] for entry in page["entries"])
            found.update(title for title in titles if title.startswith("rolling "))
            if page["next_cursor"] is None:
                return found
            cursor = {"cursor": page["next_cursor"]}
