"""Single processes against servers that run already: worker, serve, migrate."""

import sys
from typing import Any

import click

from commands.base import Failure, failures, load, out, with_servers


@click.command()
@click.option("--role", type=click.Choice(["worker", "importer", "indexer"]), default="worker")
def worker(role: str) -> None:
    """Run one worker process against servers that run already."""
    import logging

    from actors.worker import run

    settings = with_servers(load())
    logging.basicConfig(level=settings.log_level, format="%(asctime)s %(levelname)s %(message)s")
    with failures():
        sys.exit(0 if run(settings, role) else 1)


@click.command()
@click.option("--host")
@click.option("--port", type=int)
def serve(**overrides: Any) -> None:
    """Run the HTTP shim alone."""
    from shim.app import serve as serve_http

    settings = with_servers(load(**overrides), database=False)
    with failures():
        serve_http(settings)


@click.command()
def migrate() -> None:
    """Bring the database's schema to this release and make the first key."""
    from deploy.errors import DeployError
    from deploy.ground import prepare

    settings = with_servers(load(), redis=False)
    with failures():
        try:
            applied = prepare(settings)
        except DeployError as error:
            raise Failure(str(error), error.code, 2) from None
    for name in applied:
        out.print(f"applied {name}")
    out.print("the schema is up to date.")
