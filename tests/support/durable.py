"""A Valkey that has on disk what it has acknowledged."""

from redis import Redis


def on_disk_at_once(url: str) -> None:
    """Before each answer. With `everysec` it holds writes back for up to two seconds while an fsync
    is under way, as on a busy disk, and a SIGKILL takes them along."""
    with Redis.from_url(url) as redis:
        redis.config_set("appendfsync", "always")
