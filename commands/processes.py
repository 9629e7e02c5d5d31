"""Single processes against servers that run already: worker, serve, migrate."""

import sys
from typing import Any

import click
from rich.markup import escape

from commands.base import Failure, as_json, failures, load, out, print_json, with_servers
from settings import Settings


@click.command()
@click.option("--role", type=click.Choice(["worker", "importer", "indexer"]), default="worker")
def worker(role: str) -> None:
    """Run one worker process against servers that run already."""
    from actors.worker import run

    settings = with_servers(load())
    with failures():
        sys.exit(0 if run(settings, role) else 1)


@click.command()
@click.option("--host")
@click.option("--port", type=int)
def serve(**overrides: Any) -> None:
    """Run the HTTP shim alone."""
    from deploy.errors import DeployError
    from deploy.ports import refuse_taken_port
    from shim.app import serve as serve_http

    settings = with_servers(load(**overrides), database=False)
    try:
        refuse_taken_port(settings.host, settings.port)
    except DeployError as error:
        raise Failure(str(error), error.code, 2) from None
    with failures():
        serve_http(settings)


@click.command()
@click.option("--plan", is_flag=True, help="Say what would be applied and who would wait for it.")
@as_json
def migrate(plan: bool, json_: bool) -> None:
    """Bring the database's schema to this release and make the first key.

    The previous release may run meanwhile. A lock that can't be had soon is given up and tried
    again, so that nobody waits behind this for long.
    """
    from deploy.errors import DeployError
    from deploy.ground import prepare

    settings = with_servers(load(), redis=False)
    if plan:
        _plan(settings, json_)
        return
    with failures():
        try:
            applied = prepare(settings)
        except DeployError as error:
            raise Failure(str(error), error.code, 2) from None
    if json_:
        print_json({"applied": applied})
        return
    for name in applied:
        out.print(f"applied {name}")
    out.print("the schema is up to date.")


def _plan(settings: Settings, json_: bool) -> None:
    from deploy.ground import plan

    with failures():
        planned = plan(settings)
    if json_:
        print_json({"pending": [_described(one) for one in planned]})
        return
    for one in planned:
        out.print(str(one.migration))
        for table, why in one.waits:
            size = f" ({one.rows[table]:,} rows, {one.bytes[table]:,} bytes)" * (table in one.rows)
            out.print(f"  {escape(f'{table}{size}: {why}')}", soft_wrap=True)
        if not one.waits:
            out.print("  nobody waits.")
    if not planned:
        out.print("the schema is up to date.")


def _described(one: Any) -> dict[str, Any]:
    return {
        "migration": str(one.migration),
        "waits": [
            {"table": t, "why": why, "rows": one.rows.get(t), "bytes": one.bytes.get(t)}
            for t, why in one.waits
        ],
    }
