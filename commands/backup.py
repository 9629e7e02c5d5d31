"""Backup and restore: beside the queue, since what they prepare is the ground."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from commands.base import (
    Failure,
    as_json,
    data_option,
    err,
    failures,
    file_name,
    load,
    me,
    out,
    plain,
    print_json,
)
from contracts.backup import Manifest

FILE = click.Path(path_type=Path)


@click.command()
@click.argument("where", type=FILE)
@data_option
@as_json
def backup(where: Path, json_: bool, **overrides: Any) -> None:
    """Write all that can't be rebuilt to WHERE: a new file, or a folder for one.

    It is the database of one moment; work goes on meanwhile. The file holds everything, digests of
    keys too: only its owner may read it.
    """
    from deploy.backup import backup as write

    with _failures():
        file, manifest = write(load(**overrides), where, _report)
    if json_:
        print_json({"file": file_name(file), "bytes": file.stat().st_size} | _summary(manifest))
    else:
        out.print(f"{plain(str(file))}: {_line(manifest)}", soft_wrap=True)


@click.command()
@click.argument("file", type=FILE)
@data_option
@click.option("--replace", is_flag=True, help="Throw away what the place holds.")
@click.option(
    "--check", is_flag=True, help="Only check every byte of the file, and say what it is."
)
@as_json
def restore(file: Path, replace: bool, check: bool, json_: bool, **overrides: Any) -> None:
    """Put a backup into an empty or a new place; all of it, or nothing.

    Indexes build themselves anew. Messages that wait in Redis stay there, and are done afterwards.
    """
    from deploy import backup as deployed

    with _failures():
        settings = load(**overrides)
        if check:
            manifest = deployed.check(file)
        else:
            manifest, _ = deployed.restore(settings, file, replace=replace, by=me(), report=_report)
    if json_:
        print_json({"file": file_name(file), "restored": not check} | _summary(manifest))
    else:
        done = "whole" if check else "restored; indexes follow by themselves"
        out.print(f"{plain(str(file))}: {_line(manifest)}: {done}.", soft_wrap=True)


def _report(table: str, rows: int) -> None:
    err.print(f"[dim]{table}: {rows:,}[/dim]")


def _line(manifest: Manifest) -> str:
    return (
        f"{manifest.rows:,} rows of {manifest.made_at:%Y-%m-%d %H:%M:%S} UTC, "
        f"release {manifest.release}, PostgreSQL {manifest.server.partition(' ')[0]}"
    )


def _summary(manifest: Manifest) -> dict[str, Any]:
    tables = {table.name: table.rows for table in manifest.tables}
    return manifest.model_dump(mode="json", exclude={"tables"}) | {"tables": tables}


@contextmanager
def _failures() -> Iterator[None]:
    from deploy.errors import DeployError

    with failures():
        try:
            yield
        except DeployError as error:
            raise Failure(str(error), error.code, 2) from None
