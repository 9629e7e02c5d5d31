"""What every command needs: consoles, exit codes, the way to the queue, shared options."""

import asyncio
import contextlib
import getpass
import importlib
import os
import re
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import IO, Any, TypeVar

import click
import orjson
from pydantic import BaseModel, ValidationError
from rich.console import Console, ConsoleDimensions
from rich.markup import escape

from contracts.base import Contract, field_errors
from contracts.entries import Severity
from contracts.errors import (
    CasebookError,
    NoReply,
    Unavailable,
    ValidationFailed,
    WriteWaiting,
)
from contracts.operation import begin, called_by
from settings import Settings, SettingsInvalid

WIDE = 100_000  # characters: more than any line has


class Output(Console):
    """Standard output: as wide as its terminal or COLUMNS says; a file has any width."""

    @property  # type: ignore[misc]  # nobody sets it
    def size(self) -> ConsoleDimensions:
        """In characters and lines."""
        found = super().size
        said = self.is_terminal or "COLUMNS" in os.environ
        return found if said else found._replace(width=WIDE)


out = Output(highlight=False)
err = Console(stderr=True, highlight=False)

T = TypeVar("T")
M = TypeVar("M", bound=Contract)
CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
BYTES = re.compile("[\udc80-\udcff]")  # of a file's name that is no UTF-8

_NAMED = re.compile(r"`(\w+)`")
_BEHIND = ("reason", "said")  # details that are told whether the message names them or not

KEPT = 4  # exit code: a script must neither go on as if it were done nor send it again

SEVERITIES = click.Choice([severity.value for severity in Severity])
as_json = click.option("--json", "json_", is_flag=True, help="Print JSON.")
data_option = click.option("--data", type=click.Path(path_type=Path), help="The data folder.")
wait_option = click.option("--wait", is_flag=True, help="Return once searches can find it.")


class Failure(click.ClickException):
    """An error to be shown on one line, with its own exit code; as JSON where a command was asked
    for that."""

    def __init__(self, message: str, code: str, exit_code: int) -> None:
        super().__init__(message)
        self.code = code
        self.exit_code = exit_code  # type: ignore[misc]  # click reads the instance
        # When it is shown, the command has gone.
        context = click.get_current_context(silent=True)
        self._json = context is not None and bool(context.params.get("json_"))

    def told(self) -> dict[str, Any]:
        """As JSON: `{code, message}`."""
        return {"code": self.code, "message": file_name(self.message)}

    def show(self, file: IO[Any] | None = None) -> None:
        if self._json:
            say_json({"error": self.told()})
            return
        err.print(
            f"[red]error:[/red] {plain(self.message)} [dim]({self.code})[/dim]", soft_wrap=True
        )


class Kept(Failure):
    """Not done yet, and nothing is to be sent again: the task tells how it ends."""

    def __init__(self, error: WriteWaiting) -> None:
        self.task = str(error.details["task"])
        self.key = str(error.details["key"])
        message = f"{error.message} Follow it: casebook tasks show {self.task} --follow"
        super().__init__(message, error.code, KEPT)

    def told(self) -> dict[str, Any]:
        return super().told() | {"task": self.task, "key": self.key}

    def show(self, file: IO[Any] | None = None) -> None:
        if self._json:
            say_json({"kept": self.told()})
            return
        text = f"[yellow]kept, not done yet:[/yellow] {plain(self.message)}"
        err.print(f"{text} [dim]({self.code})[/dim]", soft_wrap=True)


@contextlib.contextmanager
def failures() -> Iterator[None]:
    """Our errors as messages and exit codes, never as tracebacks."""
    try:
        yield
    except ValidationError as error:
        errors = field_errors(error.errors(include_url=False, include_context=False))
        raise Failure(_field_list(errors), ValidationFailed.code, 1) from None
    except ValidationFailed as error:
        raise Failure(_field_list(error.details.get("errors", [])), error.code, 1) from None
    except WriteWaiting as error:
        raise Kept(error) from None
    except NoReply as error:
        message = f"{_told(error)} `casebook status` tells what is away: a worker, or PostgreSQL."
        raise Failure(message, error.code, 3) from None
    except Unavailable as error:
        raise Failure(_told(error), error.code, 3) from None
    except CasebookError as error:
        raise Failure(_told(error), error.code, 1) from None
    except SettingsInvalid as error:
        raise Failure(str(error), error.code, 2) from None


def _told(error: CasebookError) -> str:
    """Its message, with those of its details that it names, and what lies behind it."""
    said = [str(error.details[name]) for name in _BEHIND if error.details.get(name)]
    named = [name for name in dict.fromkeys(_NAMED.findall(error.message)) if name not in _BEHIND]
    said += [f"{name} {error.details[name]}" for name in named if name in error.details]
    return f"{error.message} ({'; '.join(said)})" if said else error.message


def _field_list(errors: list[dict[str, str]]) -> str:
    named = (f"{e['field']}: {e['message']}" if e["field"] else e["message"] for e in errors)
    return "; ".join(named) or "not valid"


def load(**overrides: Any) -> Settings:
    """The settings, or a Failure that says which is wrong."""
    with failures():
        return Settings.load(**overrides)


def with_servers(settings: Settings, *, database: bool = True, redis: bool = True) -> Settings:
    """The settings, if they name the servers asked for, or a Failure that says which is missing."""
    missing = []
    if database and settings.database_url is None:
        missing.append("CASEBOOK_DATABASE_URL")
    if redis and settings.redis_url is None:
        missing.append("CASEBOOK_REDIS_URL")
    if missing:
        raise Failure(f"Set {' and '.join(missing)}, or run `casebook up`.", "NOT_RUNNING", 3)
    return settings


def talk(conversation: Callable[[Any, Settings], Awaitable[T]], *, patient: bool = False) -> T:
    """Run a conversation with the queue: `conversation(client, settings)`. A patient one begins
    while Redis is away, too."""
    settings = load()
    if settings.redis_url is None:
        raise Failure(
            f"Nothing runs on {settings.data}. Start it with `casebook up`, or name another folder "
            "(CASEBOOK_DATA) or a server of your own (CASEBOOK_REDIS_URL).",
            "NOT_RUNNING",
            3,
        )

    async def run() -> T:
        begin(os.environ.get("TRACEPARENT"))
        called_by(me())
        from actors.broker.client import Client
        from actors.queues import producer_broker

        assert settings.redis_url is not None
        broker = producer_broker(settings.redis_url.get_secret_value(), settings.node)
        async with Client(broker, patient=patient) as client:
            return await conversation(client, settings)

    with failures():
        return asyncio.run(run())


def ask_operation(
    name: str, reply: type[M], request: BaseModel, *, timeout: float | None = None
) -> M:
    """The reply of an operation, named as the catalogue names it: `mappings.get`.

    timeout: seconds; by default what the settings say for reads or for writes
    """
    room, _, function = name.partition(".")

    async def conversation(client: Any, settings: Settings) -> M:
        from pipelines.ask import ask_for

        operation = getattr(importlib.import_module(f"actors.{room}"), function)
        within = settings.read_timeout if operation.read else settings.write_timeout
        return await ask_for(reply, client, operation, request, timeout=timeout or within)

    return talk(conversation)


def print_json(value: BaseModel | bytes | dict[str, Any]) -> None:
    """One JSON document on standard output."""
    if isinstance(value, BaseModel):
        value = value.model_dump_json().encode()
    if isinstance(value, dict):
        value = orjson.dumps(value, default=str)
    sys.stdout.buffer.write(value + b"\n")
    sys.stdout.buffer.flush()


def say_json(value: dict[str, Any]) -> None:
    """One line of JSON on standard error, which a command's result is not part of."""
    sys.stderr.write(orjson.dumps(value, default=str).decode() + "\n")
    sys.stderr.flush()


def plain(text: str) -> str:
    """Text of a stranger's for a terminal: no markup, no control characters but line ends, and of
    a file's name no byte that is no UTF-8."""
    if not text.isascii() and BYTES.search(text):
        text = file_name(text)
    lines = text.replace("\r\n", "\n")
    return escape(CONTROLS.sub(lambda found: ascii(found[0])[1:-1], lines))


def file_name(path: Path | str) -> str:
    """A file's name as it is told in JSON, too: see `told`."""
    from pipelines.formats.paths import told

    return told(str(path))


def me() -> str:
    """Who is at the keyboard, for the entry's history."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return f"uid {os.getuid()}"
