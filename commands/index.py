"""The index of a node: index status, rebuild, verify, check, backup, restore."""

import functools
import os
import sys
from pathlib import Path
from typing import Any

import click
from rich.markup import escape

from commands.base import as_json, me, out, print_json, talk
from commands.status import reindex
from contracts.base import Contract, Nothing
from contracts.search import (
    BackUpIndex,
    CheckIndex,
    IndexBackup,
    IndexChecked,
    IndexStatus,
    IndexVerified,
    RestoreIndex,
    VerifyIndex,
)
from settings import Settings

PATIENCE = 3_600.0  # seconds: what reads a whole index may take long


class Folder(click.Path):
    """A folder, by a name: an empty one would be the working directory."""

    def convert(
        self,
        value: str | os.PathLike[str],
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> str | bytes | os.PathLike[str]:
        if not os.fspath(value).strip():
            self.fail("it names no folder.", param, ctx)
        return super().convert(value, param, ctx)


FOLDER = Folder(path_type=Path, file_okay=False, resolve_path=True)


@click.group()
def index() -> None:
    """The index of this node: how it is, built anew, checked, copied. It can always be rebuilt."""


index.add_command(reindex, "rebuild")


@index.command()
@as_json
def status(json_: bool) -> None:
    """How far it is, and what was found damaged last."""
    _show(_ask("status", IndexStatus, Nothing(), shared=True), json_)


@index.command()
@as_json
def verify(json_: bool) -> None:
    """Compare it with PostgreSQL, entry by entry. Exit code 1 where they differ."""
    found = _ask("verify", IndexVerified, VerifyIndex())
    _show(found, json_)
    sys.exit(0 if found.agrees else 1)


@index.command()
@as_json
def check(json_: bool) -> None:
    """Compare its files with their checksums. Exit code 1 where one is damaged.

    A damaged index is built anew by itself; searches go on in it until then. tuning.json, with
    synonyms and pins, is published anew.
    """
    found = _ask("check", IndexChecked, CheckIndex())
    _show(found, json_)
    if found.damaged and not json_:
        out.print("it is being made anew; searches go on: casebook index status")
    sys.exit(1 if found.damaged else 0)


@index.command()
@click.argument("folder", type=FOLDER)
@as_json
def backup(folder: Path, json_: bool) -> None:
    """Copy it into FOLDER, new or empty, on the machine where this node's indexer runs.

    Searches go on; changes wait until the copy is made. Another node begins from it without
    building its own.
    """
    _show(_ask("backup", IndexBackup, BackUpIndex(to=str(folder))), json_)


@index.command()
@click.argument("folder", type=FOLDER)
@as_json
def restore(folder: Path, json_: bool) -> None:
    """Take this node's index from the backup in FOLDER, then apply what has changed since.

    Refused, with the index left as it is, where the copy is damaged, of another database or
    layout, or older than the changes that are kept.
    """
    _show(_ask("restore", IndexBackup, RestoreIndex(source=str(folder), by=me())), json_)


def _ask(name: str, reply: type[Any], request: Contract, *, shared: bool = False) -> Any:
    """The reply of this node's indexer; of any worker of it where `shared`."""
    return talk(functools.partial(_asking, name=name, reply=reply, request=request, shared=shared))


async def _asking(
    client: Any, settings: Settings, *, name: str, reply: type[Any], request: Contract, shared: bool
) -> Any:
    from actors import index as operations
    from actors.queues import queue_of
    from pipelines.ask import ask_for

    operation = getattr(operations, name)
    queue = None if shared else queue_of(settings.node)
    timeout = settings.read_timeout if shared else PATIENCE
    return await ask_for(reply, client, operation, request, timeout=timeout, queue=queue)


def _show(found: Contract, json_: bool) -> None:
    if json_:
        print_json(found)
        return
    for name, value in found.model_dump(mode="json").items():
        if isinstance(value, dict):
            value = ", ".join(f"{key.replace('_', ' ')} {part}" for key, part in value.items())
        if value not in (None, []):
            out.print(f"{name.replace('_', ' '):14} {escape(str(value))}", soft_wrap=True)
