"""Saying whether an entry helped: rate."""

from typing import Any
from uuid import UUID

import click

from commands.base import Failure, as_json, me, out, print_json, talk
from contracts.analytics import COMMENT_MAX, Event, EventKind, RecordEvents
from contracts.base import new_id
from contracts.entries import GetEntry
from settings import SecretFile, Settings


@click.command()
@click.argument("entry_id", type=click.UUID)
@click.option("--worked/--failed", default=None, help="Did it help?")
@click.option("--rating", type=click.IntRange(1, 5), help="From 1 to 5.")
@click.option("--comment", help="At most 1,000 characters.")
@click.option("--search", "search_id", type=click.UUID, help="The search that led here.")
@as_json
def rate(entry_id: UUID, json_: bool, **said: Any) -> None:
    """Say whether an entry helped: its success rate and its place in searches follow."""
    if said["worked"] is None and said["rating"] is None:
        raise Failure("Say --worked, --failed or --rating.", "VALIDATION_FAILED", 2)

    async def conversation(client: Any, settings: Settings) -> bytes:
        from actors import analytics, entries
        from pipelines.ask import ask
        from pipelines.privacy import mask, pseudonyms

        await ask(client, entries.get, GetEntry(id=entry_id), timeout=settings.read_timeout)
        names = pseudonyms(settings.analytics_key, settings.data / SecretFile.ANALYTICS_KEY)
        event = Event(
            id=new_id(),
            kind=EventKind.RATED,
            entry_id=entry_id,
            who=names.of("user", me()),
            **{name: given for name, given in said.items() if given is not None},
        )
        if event.comment is not None:
            event = event.model_copy(update={"comment": mask(event.comment, COMMENT_MAX)})
        command = RecordEvents(events=(event,))
        return await ask(client, analytics.record, command, timeout=settings.write_timeout)

    reply = talk(conversation)
    print_json(reply) if json_ else out.print(f"noted for [bold]{entry_id}[/bold]")
