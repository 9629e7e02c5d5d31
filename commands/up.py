"""Everything on this machine: up and down."""

import logging
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import click
import orjson
from rich.markup import escape

from commands.base import Failure, data_option, err, failures, load, out
from settings import Settings, default_data

START_WITHIN = 120.0  # seconds that `up --detach` waits
STOP_WITHIN = 180.0  # seconds that `down` waits: longer than `up` takes where all has to be killed


@click.command()
@data_option
@click.option("--port", type=int)
@click.option("--host")
@click.option("--workers", type=int, help="Processes for searches, reads and writes.")
@click.option("--sample", is_flag=True, help="Load the sample on the first start.")
@click.option("--detach", is_flag=True, help="Return when it is ready.")
def up(sample: bool, detach: bool, **overrides: Any) -> None:
    """Run everything here: PostgreSQL, Valkey, workers, HTTP. Ctrl-C stops it."""
    from deploy.errors import DeployError
    from deploy.local import Local

    settings = load(find_servers=False, **overrides)
    elsewhere = overrides["data"] is not None and settings.data != default_data()
    if detach:
        _up_detached(settings, elsewhere=elsewhere)
        return

    def ready(settings: Settings) -> None:
        _banner(settings, elsewhere=elsewhere)

    report = _reporter(settings)
    with failures():
        try:
            Local(settings, sample=sample, report=report).run(ready)
        except DeployError as error:
            raise Failure(str(error), error.code, 2) from None
    report("stopped; everything is kept.")


def _reporter(settings: Settings) -> Callable[[str], None]:
    """Tells news as this process's log does: for people on a terminal, else as JSON."""
    from actors import logs

    if not logs.is_json(settings.log_format, sys.stderr):
        return lambda news: err.print(f"[dim]{escape(news)}[/dim]", soft_wrap=True)
    logs.begin(
        settings.log_level,
        settings.log_format,
        process="up",
        node=settings.node,
        secrets=settings.secrets(),
    )
    return lambda news: logging.getLogger("deploy").info("%s", news)


def _news(line: str) -> str:
    """What a line of that log says."""
    try:
        return str(orjson.loads(line)["event"])
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return line


def _banner(settings: Settings, *, elsewhere: bool) -> None:
    """What to do next; `elsewhere`: other commands don't find the folder by themselves."""
    from deploy.local import url_of

    casebook = "casebook"
    if elsewhere:
        casebook = f"CASEBOOK_DATA={shlex.quote(str(settings.data.absolute()))} casebook"
    out.print(
        f"\n[bold]Casebook is ready[/bold] on {url_of(settings)} (API description at /docs)\n"
        f"  data    {settings.data}\n"
        f"  key     {settings.admin_key}  (Authorization: Bearer KEY)\n"
        f"  search  {casebook} search S0C7\n"
        f"  stop    Ctrl-C, or `{casebook} down`\n",
        soft_wrap=True,
    )


def _up_detached(settings: Settings, *, elsewhere: bool) -> None:
    """Start `up` in a session of its own and wait until it says that it is ready."""
    from deploy.folder import DataFolder
    from deploy.lock import holder

    log = settings.data / "logs" / "up.log"
    try:
        DataFolder(settings.data).create()  # `parents` below would let everyone look into it
        log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = log.open("ab")
    except OSError as error:
        message = f"The data folder {settings.data} can't be used: {error}"
        raise Failure(message, "DATA_FOLDER_UNWRITABLE", 2) from None
    with file:
        start = log.stat().st_size
        sample = ["--sample"] if "--sample" in sys.argv else []
        process = subprocess.Popen(
            [sys.executable, "-m", "cli", "up", *sample],
            env=settings.environment(),
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
        )
    deadline = time.monotonic() + START_WITHIN
    while process.poll() is None and time.monotonic() < deadline:
        found = holder(settings.data)
        if found is not None and found.pid == process.pid and found.url:
            _banner(settings, elsewhere=elsewhere)
            return
        time.sleep(0.02)
    if process.poll() is None:
        message = (
            f"It is not ready after {START_WITHIN:.0f} s and goes on trying; see {log.parent}."
        )
        raise Failure(message, "NOT_READY", 2)
    lines = log.read_bytes()[start:].decode(errors="replace").strip().splitlines()
    said = "\n".join(map(_news, lines))
    raise Failure(said, "NOT_STARTED", 2)


@click.command()
@data_option
def down(**overrides: Any) -> None:
    """Stop what `up` started, and wait until it has stopped."""
    from deploy.lock import holder

    settings = load(find_servers=False, **overrides)
    found = holder(settings.data)
    if found is None:
        message = f"Nothing runs on {settings.data}; --data or CASEBOOK_DATA names another folder."
        raise Failure(message, "NOT_RUNNING", 1)
    os.kill(found.pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_WITHIN
    while (now := holder(settings.data)) is not None and now.pid == found.pid:
        if time.monotonic() > deadline:
            raise Failure(
                f"pid {found.pid} has not stopped within {STOP_WITHIN:.0f} s.", "STILL_RUNNING", 1
            )
        time.sleep(0.02)
    out.print("stopped; everything is kept.")
