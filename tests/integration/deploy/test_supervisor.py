"""The supervisor: what dies comes back, what is asked to stop stops, and it sleeps otherwise."""

import os
import re
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.errors import DataFolderUnwritable
from deploy.postgres import EmbeddedPostgres
from deploy.supervisor import Child, Supervisor
from deploy.valkey import EmbeddedCache, EmbeddedValkey
from deploy.watch import LONG_LIFE, Watch
from tests.integration.deploy.deploy_helpers import LIMIT, Program, client, query, wait_until_gone

SLEEP = "import time; time.sleep(600)"
linux = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc and pidfds")


def pid_in(line: str, name: str) -> int:
    """The pid that `up.py` printed for a server."""
    found = re.search(rf"{name}=(\d+)", line)
    assert found
    return int(found[1])


def mark(name: str, then: str = SLEEP) -> str:
    """Code of a child that adds its pid to a file of the data folder, then goes on."""
    return (
        f"import os; f = open(os.environ['DATA'] + '/{name}', 'a');"
        f"print(os.getpid(), file=f, flush=True); {then}"
    )


def marks(data: Path, name: str, count: int) -> list[int]:
    """The pids that children left, once there are `count`."""
    deadline = time.monotonic() + LIMIT
    while time.monotonic() < deadline:
        found = (data / name).read_text().split() if (data / name).exists() else []
        if len(found) >= count:
            return [int(pid) for pid in found]
        time.sleep(0.01)
    raise AssertionError(f"fewer than {count} starts in time")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_ends_everything(data: Path, number: signal.Signals) -> None:
    """One signal stops children, Valkey and PostgreSQL, and the exit code is 0."""
    with Program("up.py", data, mark("child", f"os.fork(); {SLEEP}")) as up:
        up.wait_for("up postgres=")
        (first,) = marks(data, "child", 1)
        pids = [pid for pid in all_pids() if in_group(pid, first)]
        up.process.send_signal(number)
        assert up.end() == 0
        assert up.seen[-1] == "down"
        wait_until_gone(pids)
    assert not (data / "postgres" / "postmaster.pid").exists()
    assert (data / "lock").read_text() == ""


@linux
def test_a_killed_postgres_comes_back(data: Path) -> None:
    """SIGKILL for PostgreSQL: a committed row is there again, and no child was restarted."""
    postgres = EmbeddedPostgres(data)
    with Program("up.py", data, mark("child")) as up:
        pid = pid_in(up.wait_for("up postgres="), "postgres")
        query(postgres, "CREATE TABLE kept AS SELECT 42 AS n")
        os.kill(pid, signal.SIGKILL)
        up.wait_for("postgres ended (SIGKILL)")
        up.wait_for("postgres is ready")
        assert query(postgres, "SELECT n FROM kept") == 42
        assert len(marks(data, "child", 1)) == 1


@linux
def test_a_killed_valkey_comes_back(data: Path) -> None:
    """SIGKILL for Valkey: a key that has reached the disk, as WAITAOF tells, is there again."""
    valkey = EmbeddedValkey(data)
    with Program("up.py", data, mark("child")) as up:
        pid = pid_in(up.wait_for("up postgres="), "valkey")
        with client(valkey) as connection:
            connection.set("kept", "42")
            assert connection.waitaof(1, 0, 10_000)[0] == 1
        os.kill(pid, signal.SIGKILL)
        up.wait_for("valkey ended (SIGKILL)")
        up.wait_for("valkey is ready")
        with client(valkey) as connection:
            assert connection.get("kept") == "42"
        assert len(marks(data, "child", 1)) == 1


@linux
def test_a_killed_cache_comes_back(data: Path) -> None:
    """SIGKILL for the cache: it is started again, empty; no child was restarted."""
    cache = EmbeddedCache(data)
    with Program("up.py", data, mark("child")) as up:
        pid = pid_in(up.wait_for("up postgres="), "cache")
        if not any("cache is ready" in line for line in up.seen):
            up.wait_for("cache is ready")
        with client(cache) as connection:
            connection.set("key", "42")
        os.kill(pid, signal.SIGKILL)
        up.wait_for("cache ended (SIGKILL)")
        up.wait_for("cache is ready")
        with client(cache) as connection:
            assert connection.get("key") is None
        assert len(marks(data, "child", 1)) == 1


def test_nobody_waits_for_a_spare_server(data: Path) -> None:
    """The cache can't start: that is told, and all that is needed is ready without it."""
    data.mkdir()
    (data / "cache").write_text("in the way")
    news: list[str] = []
    supervisor = Supervisor(data, [], spare=[EmbeddedCache(data)], report=news.append)
    supervisor.run(lambda: [], lambda: os.kill(os.getpid(), signal.SIGTERM))
    assert "File exists" in news[0] and "cache starts again in 0.1 s." in news[0]


@linux
def test_a_killed_child_comes_back(data: Path) -> None:
    """SIGKILL for a child: it's started again, and what it had started is gone."""
    with Program("up.py", data, mark("child", f"os.fork(); {SLEEP}")) as up:
        up.wait_for("up postgres=")
        (first,) = marks(data, "child", 1)
        group = [pid for pid in all_pids() if in_group(pid, first)]
        os.kill(first, signal.SIGKILL)
        up.wait_for("child0 ended (SIGKILL)")
        assert marks(data, "child", 2)[1] != first
        wait_until_gone(group)


def test_a_child_that_always_ends_is_started_ever_more_slowly(data: Path) -> None:
    """The delay doubles from 0.1 s; the servers and a stop aren't held up by it."""
    with Program("up.py", data, mark("child", "raise SystemExit(7)")) as up:
        for delay in ("0.1", "0.2", "0.4", "0.8"):
            up.wait_for("ended (exit code 7)")
            up.wait_for(f"starts again in {delay} s")
        up.process.send_signal(signal.SIGTERM)
        assert up.end() == 0


def test_a_deaf_child_is_killed_after_the_grace(data: Path) -> None:
    """A child that ignores SIGTERM doesn't keep the servers from a stop in good order."""
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + mark("child")
    with Program("up.py", data, deaf) as up:
        up.wait_for("up postgres=")
        pids = marks(data, "child", 1)
        up.process.send_signal(signal.SIGTERM)
        up.wait_for("didn't stop in time")
        assert up.end() == 0
        wait_until_gone(pids)
    assert "database system is shut down" in (data / "logs" / "postgres.log").read_text()


@linux
def test_it_sleeps_when_nothing_happens(data: Path) -> None:
    """Two idle seconds cost the supervisor no more than one clock tick."""
    with Program("up.py", data, SLEEP) as up:
        up.wait_for("up postgres=")
        before = ticks(up.process.pid)
        time.sleep(2)
        assert ticks(up.process.pid) - before <= 1


def test_what_prepares_the_children_may_fail(data: Path) -> None:
    """An error between the servers and the children stops the servers and reaches the caller."""
    postgres, valkey = EmbeddedPostgres(data), EmbeddedValkey(data)

    def children() -> list[Child]:
        assert query(postgres, "SELECT 1") == 1
        raise LookupError("no migration of that name")

    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with pytest.raises(LookupError):
        Supervisor(data, [postgres, valkey], report=print).run(children)
    assert (postgres.pid, valkey.pid) == (None, None)
    assert not (data / "postgres" / "postmaster.pid").exists()
    assert handlers == [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]


def test_readiness_is_waited_for_and_told_once(data: Path) -> None:
    """A child is asked until it's ready, nobody listening means no, and then all is ready."""
    answers: Iterator[bool | OSError] = iter([False, OSError("refused"), True])
    asked: list[str] = []

    def ready() -> bool:
        answer = next(answers)
        asked.append(str(answer))
        if isinstance(answer, OSError):
            raise answer
        return answer

    def stop() -> None:
        asked.append("all")
        os.kill(os.getpid(), signal.SIGTERM)

    child = Child("sleeper", [sys.executable, "-c", SLEEP], dict(os.environ), ready)
    news: list[str] = []
    Supervisor(data, [], report=news.append).run(lambda: [child], stop)
    assert asked == ["False", "refused", "True", "all"]
    assert news == ["sleeper is ready."]


class Stumbling:
    """A runner whose start fails with a typed error."""

    name = "stumbling"
    process = None

    def begin(self) -> None:
        """Fail."""
        raise DataFolderUnwritable("full")

    def ready(self) -> bool:
        """Never reached."""
        raise AssertionError


def test_delays_grow_and_begin_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """0.1 s doubling to 10 s, 0.1 s again after a long life; a failed start counts as an end."""
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    watch = Watch(Stumbling(), lambda news: None)
    delays = []
    for _ in range(9):
        delays.append(watch.look())
        now[0] += delays[-1]
    assert delays == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0]
    watch._began = now[0] - LONG_LIFE
    assert watch._again("it ended") == 0.1


def all_pids() -> list[int]:
    """Every process of the machine (Linux)."""
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def in_group(pid: int, group: int) -> bool:
    """Whether a process belongs to this process group."""
    try:
        return os.getpgid(pid) == group
    except ProcessLookupError:
        return False


def ticks(pid: int) -> int:
    """The processor time that a process has used, in clock ticks of 10 ms."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])
