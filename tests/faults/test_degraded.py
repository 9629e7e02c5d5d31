"""While something is away: what goes on, what waits, what is said, and that nothing is lost."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx
import psutil
import psycopg
import pytest
from redis import Redis

from deploy.postgres import EmbeddedPostgres
from deploy.valkey import EmbeddedValkey
from pipelines.privacy import Pseudonyms
from tests.support.casebook import Casebook, running

PATIENCE = 40.0  # seconds for one thing to happen
#: Far above any wait of these tests: what is answered was not waited out.
NEVER = "300"

Reply = httpx.Response


@dataclass(frozen=True)
class Ground:
    """A Casebook on servers that the test stops and starts."""

    casebook: Casebook
    postgres: EmbeddedPostgres
    valkey: EmbeddedValkey

    @contextmanager
    def without_postgres(self) -> Iterator[None]:
        """PostgreSQL is stopped inside, and there again after."""
        self.postgres.stop()
        try:
            yield
        finally:
            self.postgres.start()

    @contextmanager
    def frozen_postgres(self) -> Iterator[None]:
        """PostgreSQL neither answers nor refuses inside (SIGSTOP of each of its processes)."""
        assert self.postgres.process is not None
        server = psutil.Process(self.postgres.process.pid)
        server.suspend()  # first: then it makes no more
        backends = server.children()
        try:
            for one in backends:
                with suppress(psutil.NoSuchProcess):
                    one.suspend()
            yield
        finally:
            for one in (*backends, server):
                with suppress(psutil.NoSuchProcess):
                    one.resume()

    @contextmanager
    def without_valkey(self) -> Iterator[None]:
        """Valkey is killed; inside it is away, and it is there again after."""
        assert self.valkey.process is not None
        self.valkey.process.kill()
        self.valkey.stop()
        try:
            yield
        finally:
            self.valkey.start()

    def titles(self, title: str) -> int:
        """How many entries have this title."""
        with psycopg.connect(self.postgres.url) as session:
            query = "select count(*) from entries where title = %s"
            row = session.execute(query, [title]).fetchone()
        assert row is not None
        return int(row[0])


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """One for all tests of this module; everything is there when a test begins."""
    servers = tmp_path_factory.mktemp("servers")
    postgres, valkey = EmbeddedPostgres(servers), EmbeddedValkey(servers)
    try:
        postgres.start()
        valkey.start()
        settings = {
            "CASEBOOK_DATABASE_URL": str(postgres.url),
            "CASEBOOK_REDIS_URL": valkey.url,
            "CASEBOOK_READ_TIMEOUT": NEVER,
            "CASEBOOK_WRITE_TIMEOUT": NEVER,
        }
        with running(tmp_path_factory.mktemp("data"), **settings) as casebook:
            yield Ground(casebook, postgres, valkey)
    finally:
        valkey.stop()
        postgres.stop()


@pytest.fixture
def http(ground: Ground) -> Iterator[httpx.Client]:
    """A client whose key the shim has checked."""
    with ground.casebook.http() as client:
        until(lambda: client.get("/readyz"), lambda reply: reply.status_code == 200)
        assert client.get("/v1/search", params={"q": "x"}).status_code == 200
        yield client


def until(ask: Callable[[], Reply], good: Callable[[Reply], bool]) -> Reply:
    """The first good reply. Fails when none comes."""
    pause, deadline = threading.Event(), time.monotonic() + PATIENCE
    while not good(reply := ask()):
        assert time.monotonic() < deadline, reply.text
        pause.wait(0.02)
    return reply


def create(http: httpx.Client, title: str, key: str = "") -> Reply:
    """The reply to a new entry."""
    headers = {"Idempotency-Key": key} if key else {}
    return http.post("/v1/entries", json={"title": title}, headers=headers)


def ended(http: httpx.Client, task: str) -> dict[str, Any]:
    """The task when it is over."""
    over = ("succeeded", "failed")
    reply = until(
        lambda: http.get(f"/v1/tasks/{task}"),
        lambda reply: reply.status_code == 200 and reply.json()["status"] in over,
    )
    found: dict[str, Any] = reply.json()
    return found


def is_away(reply: Reply, code: str) -> bool:
    """Whether a reply says what is away, and when to ask again."""
    said = (reply.status_code, reply.json()["code"], "Retry-After" in reply.headers)
    assert said == (503, code, True), (reply.request.url, reply.text)
    return True


def test_a_write_waits_for_postgresql(ground: Ground, http: httpx.Client) -> None:
    """It is kept with a task to follow, done once when PostgreSQL is back, and found."""
    title, key = f"waits {uuid4()}", str(uuid4())
    with ground.without_postgres():
        kept = create(http, title, key)
        assert (kept.status_code, kept.json()["status"]) == (202, "enqueued")
        task = kept.json()["task"]
        assert http.get(f"/v1/tasks/{task}").json()["status"] == "enqueued"
    done = ended(http, task)
    assert (done["status"], done["result"]["entry"]["title"]) == ("succeeded", title)
    entry_id = done["result"]["entry"]["id"]
    found = http.get("/v1/search", params={"q": f'"{title}"', "after": done["position"]}).json()
    assert [hit["id"] for hit in found["hits"]] == [entry_id]
    again = create(http, title, key)
    assert (again.status_code, again.json()["entry"]["id"]) == (201, entry_id)
    assert ground.titles(title) == 1


def test_without_postgresql_searches_go_on(ground: Ground, http: httpx.Client) -> None:
    """What needs PostgreSQL says so, and so does /readyz."""
    title = f"there {uuid4()}"
    stored = create(http, title).json()
    query = {"q": f'"{title}"', "after": stored["position"]}
    assert http.get("/v1/search", params=query).json()["total"] == 1
    with ground.without_postgres():
        assert http.get("/v1/search", params=query).json()["total"] == 1
        entry = f"/v1/entries/{stored['entry']['id']}"
        for path in (entry, f"{entry}/versions", "/v1/entries", "/v1/tasks", "/v1/dead-letters"):
            assert is_away(http.get(path), "DATABASE_UNAVAILABLE")
        ready = http.get("/readyz")
        assert (ready.status_code, "Retry-After" in ready.headers) == (503, True)
        checks = ready.json()["checks"]
        assert checks["redis"]["ok"] is True
        assert checks["database"]["code"] == "DATABASE_UNAVAILABLE"
        rebuild = http.post("/v1/index/rebuild")
        assert (rebuild.status_code, rebuild.json()["operation"]) == (202, "tasks.start")
    assert ended(http, rebuild.json()["task"])["status"] == "succeeded"
    until(lambda: http.get("/readyz"), lambda reply: reply.status_code == 200)


@pytest.mark.parametrize("how", ["away", "frozen"])
def test_a_search_shows_the_solution_without_postgresql(
    ground: Ground, http: httpx.Client, how: str
) -> None:
    """As the index keeps it, with the hits, a word on stderr, and the exit code of success."""
    title = f"there {uuid4()}"
    given = {"title": title, "solution": "Turn it off and on again."}
    stored = http.post("/v1/entries", json=given).json()
    query = ("search", f'"{title}"', "--after", stored["position"])
    assert ground.casebook.run(*query).err.startswith("searched for: ")
    with ground.without_postgres() if how == "away" else ground.frozen_postgres():
        found = ground.casebook.run(*query)
        entry = ground.casebook.run("get", stored["entry"]["id"])
        status = ground.casebook.run("status")
    assert (entry.code, "Turn it off" in entry.out) == (0, True), entry.err
    assert "as the index keeps it" in entry.err
    (alerts,) = [line for line in status.out.splitlines() if line.startswith("alerts")]
    assert "error" not in alerts, alerts
    assert found.code == 0, found.err
    assert found.out.index("Turn it off") < found.out.index("1-1 of 1")
    assert "as the index keeps it" in found.err
    assert "casebook status" in found.err
    until(lambda: http.get("/readyz"), lambda reply: reply.status_code == 200)


def test_a_frozen_postgresql_is_the_one_that_is_told_of(ground: Ground, http: httpx.Client) -> None:
    """Nobody is sent to build an index anew for it, nor told how fast it did not answer."""
    with ground.frozen_postgres():
        status = ground.casebook.run("status")
        doctor = ground.casebook.run("doctor", "--json")
    assert (status.code, doctor.code) == (1, 1)
    (database,) = [line for line in status.out.splitlines() if line.startswith("database")]
    assert "answers within" not in database, database
    found = {one["about"]: one for one in doctor.json}
    assert (found["database"]["level"], found["index"]["level"]) == ("wrong", "wrong")
    assert "see the database" in found["index"]["remedy"]
    assert "reindex" not in found["index"]["remedy"]
    until(lambda: http.get("/readyz"), lambda reply: reply.status_code == 200)


def test_a_refusal_that_nobody_waits_for_is_kept(ground: Ground, http: httpx.Client) -> None:
    """Its caller has been told 202: the task says why it failed, and a dead letter holds it."""
    title = f"twice {uuid4()}"
    assert create(http, title).status_code == 201
    with ground.without_postgres():
        task = create(http, title).json()["task"]
    failed = ended(http, task)
    assert (failed["status"], failed["error"]["code"]) == ("failed", "DuplicateEntry")
    letter = http.get(f"/v1/dead-letters/{failed['error']['dead_letter']}").json()
    assert (letter["reason"], letter["message_id"]) == ("refused", task)
    assert ground.titles(title) == 1


def test_the_command_line_says_that_a_write_is_kept(ground: Ground, http: httpx.Client) -> None:
    """On stderr with the task to follow, and with an exit code of its own."""
    title, casebook = f"typed {uuid4()}", ground.casebook
    with ground.without_postgres():
        kept = casebook.run("add", title, "--json")
        assert kept.code == 4, kept.err
        task = kept.json["task"]
        assert "kept" in kept.err
        assert "PostgreSQL" in kept.err
        assert f"casebook tasks show {task}" in kept.err
        assert casebook.run("tasks", "show", task, "--json").json["status"] == "enqueued"
    followed = casebook.run("tasks", "show", task, "--follow")
    assert followed.code == 0, followed.err
    assert ground.titles(title) == 1


def test_without_valkey_every_route_says_so(ground: Ground, http: httpx.Client) -> None:
    """503 with Retry-After while it is away; all of it works again after."""
    title, some = f"survives {uuid4()}", uuid4()
    entry = create(http, title).json()["entry"]["id"]
    with ground.without_valkey():
        for method, path, body in (
            ("GET", f"/v1/search?q={some}", None),  # never asked before
            ("POST", "/v1/search", {"q": str(some)}),
            ("GET", f"/v1/entries/{entry}", None),
            ("GET", "/v1/entries", None),
            ("POST", "/v1/entries", {"title": "not taken"}),
            ("PATCH", f"/v1/entries/{entry}", {"title": "not taken"}),
            ("DELETE", f"/v1/entries/{entry}", None),
            ("GET", f"/v1/imports/{some}", None),
            ("GET", "/v1/tasks", None),
            ("GET", f"/v1/tasks/{some}", None),
            ("POST", f"/v1/tasks/{some}/cancel", None),
            ("POST", "/v1/index/rebuild", None),
            ("GET", "/v1/dead-letters", None),
            ("POST", "/v1/dead-letters/replay", {"everything": True}),
        ):
            assert is_away(http.request(method, path, json=body), "QUEUE_UNAVAILABLE")
        with ground.casebook.http(key="never seen before") as stranger:
            assert is_away(stranger.get("/v1/entries"), "QUEUE_UNAVAILABLE")
        ready = http.get("/readyz")
        redis = ready.json()["checks"]["redis"]
        assert (ready.status_code, redis["ok"]) == (503, False)
        assert redis["code"] == "QUEUE_UNAVAILABLE"
        assert http.get("/healthz").status_code == 200
        assert ground.casebook.run("search", "x").code == 3
    back = time.monotonic()
    until(lambda: http.get(f"/v1/search?q={some}"), lambda reply: reply.status_code == 200)
    took = time.monotonic() - back
    print(f"the first search succeeded {took:.2f} s after Valkey was back")  # noqa: T201  # for -s
    assert http.get(f"/v1/entries/{entry}").json()["title"] == title
    assert create(http, f"after {uuid4()}").status_code == 201


def test_a_full_valkey_works_off_what_it_holds(ground: Ground, http: httpx.Client) -> None:
    """New requests are refused with 503 QUEUE_FULL; what was queued is done, at its limit still."""
    titles = [f"queued {n} {uuid4()}" for n in range(3)]
    with Redis.from_url(ground.valkey.url) as redis:
        with ground.without_postgres():
            tasks = [create(http, title).json()["task"] for title in titles]
            redis.config_set("maxmemory", "100kb")
            assert is_away(create(http, "refused"), "QUEUE_FULL")
            assert is_away(http.get(f"/v1/search?q={uuid4()}"), "QUEUE_FULL")
        pause, deadline = threading.Event(), time.monotonic() + PATIENCE
        while [ground.titles(title) for title in titles] != [1, 1, 1]:
            assert time.monotonic() < deadline, "what was queued was not done"
            pause.wait(0.05)
        assert is_away(create(http, "refused"), "QUEUE_FULL")
        redis.config_set("maxmemory", "1gb")
    assert [ended(http, task)["status"] for task in tasks] == ["succeeded"] * 3
    assert create(http, f"after {uuid4()}").status_code == 201
    assert ground.titles("refused") == 0


def events_kept(ground: Ground, session: str) -> int:
    """How many searches and copies of this session are in the database, each once."""
    key = (ground.casebook.data / "analytics.key").read_bytes()
    with psycopg.connect(ground.postgres.url) as database:
        query = "select count(*), count(distinct id) from events where session = %s"
        row = database.execute(query, [Pseudonyms(key).of("session", session)]).fetchone()
    assert row is not None
    assert row[0] == row[1]
    return int(row[0])


@pytest.mark.parametrize("away", ["postgres", "valkey"])
def test_events_wait_for_what_is_away(ground: Ground, http: httpx.Client, away: str) -> None:
    """They are taken without a word, and kept once each when it is back."""
    session, entry = f"session {uuid4()}", str(uuid4())
    http.get("/v1/search?q=x", headers={"Casebook-Session": session}).raise_for_status()
    batch = {"events": [{"type": "copied", "entry_id": entry, "session": session}] * 20}
    with ground.without_postgres() if away == "postgres" else ground.without_valkey():
        for _ in range(3):
            assert http.post("/v1/events", json=batch).status_code == 202
        if away == "postgres":
            search = http.get("/v1/search?q=x", headers={"Casebook-Session": session})
            assert search.status_code == 200
    expected = 62 if away == "postgres" else 61
    pause, deadline = threading.Event(), time.monotonic() + PATIENCE
    while events_kept(ground, session) < expected:
        assert time.monotonic() < deadline, "not all events were kept"
        pause.wait(0.05)
    assert events_kept(ground, session) == expected
