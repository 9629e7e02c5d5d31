"""Finding entries, the best one's solution first."""

import time
from typing import Any, get_args
from uuid import UUID

import click
from rich.rule import Rule

from commands.base import SEVERITIES, as_json, failures, me, out, plain, print_json, talk
from commands.entries import note, show
from commands.found import FACETS, FIELDS, GROUPS, SORTS, show_found, show_reading
from commands.reading import Read, best_of
from commands.tables import Column, print_table
from contracts.base import new_id
from contracts.search import ProfileName, SearchQuery, SearchReply
from contracts.similar import LikeEntries, MoreLikeThis
from contracts.suggest import Suggest, Suggestions
from settings import SecretFile, Settings

# `-805` is a code and `-word` leaves out a word: neither is an option. So help is --help alone.
_TYPED = {"ignore_unknown_options": True, "help_option_names": ["--help"]}


@click.command(context_settings=_TYPED)
@click.argument("typed")
@click.option("--limit", default=10, show_default=True, type=click.IntRange(1, 50))
@as_json
def suggest(typed: str, limit: int, json_: bool) -> None:
    """Show what may be meant by a few letters: codes, entries, tags."""

    async def conversation(client: Any, settings: Settings) -> bytes:
        from pipelines.searching import suggest

        request = Suggest(q=typed, limit=limit)
        return await suggest(client, request, timeout=settings.read_timeout)

    body = talk(conversation)
    if json_:
        print_json(body)
        return
    for one in Suggestions.from_reply(body).suggestions:
        out.print(f"[dim]{one.kind:5}[/dim]  {plain(one.text)}")


@click.command()
@click.argument("entry_id", type=click.UUID, required=False)
@click.option("--text", help="Compare with this text instead of an entry.")
@click.option("--limit", default=10, show_default=True, type=click.IntRange(1, 50))
@as_json
def similar(entry_id: UUID | None, text: str | None, limit: int, json_: bool) -> None:
    """Find entries about the same thing as an entry, or as a text."""
    with failures():
        request = MoreLikeThis(id=entry_id, text=text or "", limit=limit)

    async def conversation(client: Any, settings: Settings) -> bytes:
        from pipelines.searching import like

        return await like(client, request, timeout=settings.read_timeout)

    body = talk(conversation)
    if json_:
        print_json(body)
        return
    columns = (
        Column("shared"),
        Column("title", text=True),
        Column("category", spare=1),
        Column("id"),
    )
    rows = []
    for entry in LikeEntries.from_reply(body).entries:
        shared = f"{entry.similarity:.0%}"
        rows.append((shared, plain(entry.title), plain(entry.category), str(entry.id)))
    print_table(columns, rows)


@click.command(context_settings=_TYPED)
@click.argument("query", nargs=-1)
@click.option("--category", multiple=True)
@click.option("--tag", multiple=True)
@click.option("--severity", multiple=True, type=SEVERITIES)
@click.option("--status", multiple=True, type=click.Choice(["draft", "active"]))
@click.option("--source", multiple=True)
@click.option("--author", multiple=True)
@click.option("--year", multiple=True, type=int, help="Of the last change.")
@click.option("--updated-from", help="A year, month, day or moment; so are the other three.")
@click.option("--updated-to")
@click.option("--created-from")
@click.option("--created-to")
@click.option("--sort", default="relevance", help=f"One of {', '.join(SORTS)}.")
@click.option("--facets", multiple=True, help=f"Count by: {','.join(FACETS)}.")
@click.option("--group", type=click.Choice(GROUPS), help="Show the best of each.")
@click.option("--explain", is_flag=True, help="Say why each hit stands where it does.")
@click.option("--fields", multiple=True, help=f"With --json, show only: {','.join(FIELDS)}.")
@click.option("--limit", default=10, show_default=True, type=click.IntRange(1, 100))
@click.option("--offset", default=0, type=click.IntRange(0, 10_000))
@click.option(
    "--profile",
    default="default",
    type=click.Choice(get_args(ProfileName)),
    help="How hits are ranked.",
)
@click.option(
    "--mode",
    default="lexical",
    type=click.Choice(["lexical", "semantic", "hybrid"]),
    help="By words and codes, by meaning, or by both.",
)
@click.option("--cursor", help="The page after the one whose `next` this is.")
@click.option("--after", help="Wait until the index has reached this position.")
@as_json
def search(query: tuple[str, ...], json_: bool, **options: Any) -> None:
    """Find entries; the best one's solution is shown first.

    Words, "phrases", -words to leave out, and codes such as S0C7 or -805. How they were read, and
    what may have been meant, stands below. While PostgreSQL is away the solution is shown as the
    index keeps it.
    """
    for word in query:
        if word.startswith("--"):
            raise click.NoSuchOption(word)
    if options["fields"] and not json_:
        raise click.UsageError("--fields needs --json: a table shows what it always does.")

    async def conversation(client: Any, settings: Settings) -> tuple[bytes, Read]:
        from pipelines.searching import find

        request, began = SearchQuery(q=" ".join(query), **options), time.perf_counter()
        body = await find(client, request, timeout=settings.read_timeout)
        took_ms = (time.perf_counter() - began) * 1000
        best = Read()
        if not (json_ or request.offset or request.cursor):
            best = await best_of(client, settings, request, SearchReply.from_reply(body).hits)
        await _count(client, settings, request, body, took_ms)
        return body, best

    body, best = talk(conversation)
    if json_:
        print_json(body)
        return
    reply = SearchReply.from_reply(body)
    if not (reply.hits or reply.groups):
        out.print("Nothing was found. Fewer or other words may help.")
        show_reading(reply)
        return
    if best.entry is not None:
        show(best.entry)
        out.print(Rule(style="dim"), width=80)  # or the terminal's, if that is less
    show_found(reply)
    show_reading(reply)
    note(best)


async def _count(
    client: Any, settings: Settings, request: SearchQuery, body: bytes, took_ms: float
) -> None:
    """Count the search, as the shim does. Who asked is left out where no key is at hand for it."""
    from pipelines.events import searched, tell
    from pipelines.privacy import known_user

    who = known_user(settings.analytics_key, settings.data / SecretFile.ANALYTICS_KEY, me())
    await tell(client, searched(new_id(), request, body, took_ms, who, None))
