"""How sources are read: the options that every importing command has."""

import contextlib
import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import click

from commands.base import Failure, failures, me
from commands.mappings import shape_options
from contracts.errors import TooManyRejects
from contracts.imports import OnLong
from settings import Settings

if TYPE_CHECKING:
    from pipelines.importing import Plan

FORMATS = ("auto", "ndjson", "json", "bulk", "hits", "csv", "markdown")


@dataclass(frozen=True)
class Asked:
    """What was said of the sources."""

    source: str
    pairs: tuple[str, ...]
    defaults: tuple[str, ...]
    splits: tuple[str, ...]
    saved: str | None
    kind: Any
    delimiter: str | None
    encoding: str | None
    columns: str | None
    on_long: str

    def plan(self) -> "Plan":
        """As a plan, but for the saved mapping.

        Raises: MappingInvalid, SourceUnreadable, EncodingUnknown.
        """
        from pipelines.formats.rows import make_reading
        from pipelines.importing import Plan
        from pipelines.mapping import parse_shape

        reading = make_reading(
            self.kind,
            delimiter=self.delimiter,
            encoding=self.encoding,
            columns=self.columns,
        )
        return Plan(
            source=self.source,
            reading=reading,
            shape=parse_shape(self.pairs, self.defaults, self.splits),
            on_long=OnLong(self.on_long),
            by=me(),
        )

    async def completed(self, plan: "Plan", client: Any, settings: Settings) -> "Plan":
        """With what the saved mapping says of fields of which the options say nothing."""
        from pipelines.mapping import load_shape

        if self.saved is None:
            return plan
        saved = await load_shape(client, self.saved, timeout=settings.read_timeout)
        return replace(plan, shape=plan.shape.over(saved))


def source_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options; the command gets them as `asked`."""

    @functools.wraps(command)
    def asking(**given: Any) -> Any:
        asked = Asked(**{field.name: given.pop(field.name) for field in fields(Asked)})
        return command(asked=asked, **given)

    long = click.Choice([one.value for one in OnLong])
    for option in (
        click.option("--on-long", type=long, default="reject"),
        click.option("--encoding", help="Of text without a byte order mark: windows-1252, say."),
        click.option("--columns", metavar="A,B,...", help="Of a CSV without a header, in order."),
        click.option("--delimiter", help="Between the cells of a CSV; \\t is a tab."),
        click.option("--format", "kind", type=click.Choice(FORMATS), default="auto"),
        click.option(
            "--mapping", "saved", metavar="NAME", help="A saved mapping; options go before it."
        ),
        shape_options,
        click.option("--source", default="", help="Whose external ids these are."),
    ):
        asking = option(asking)
    return asking


@contextlib.contextmanager
def unable() -> Iterator[None]:
    """Errors as exit codes from 2: 1 is kept for rejected rows, also where they were too many."""
    try:
        with failures():
            yield
    except Failure as failure:
        least = 1 if failure.code == TooManyRejects.code else 2
        raise Failure(failure.message, failure.code, max(failure.exit_code, least)) from None
