"""Queues: how they are, pause, resume, limit, drain. Works while no worker runs."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import click
from rich.markup import escape

from commands.base import Failure, as_json, err, me, out, print_json, talk
from commands.tables import Column, print_table
from contracts.errors import QueueUnknown
from contracts.queues import LIMIT_MAX, QueueState, QueueStates
from settings import Settings

T = TypeVar("T")

NO_SUCH_QUEUE = 2  # exit code


@click.group(invoke_without_command=True)
@click.option("--no-rates", is_flag=True, help="One sample: no rates, no second's wait.")
@as_json
@click.pass_context
def queues(context: click.Context, no_rates: bool, json_: bool) -> None:
    """How many messages wait in each queue; pause, resume, limit or drain one."""
    if context.invoked_subcommand is not None:
        return

    async def conversation(broker: Any) -> QueueStates:
        from pipelines.queues import look

        return await look(broker, rates=not no_rates)

    states = _ask(conversation)
    if json_:
        print_json(states)
    else:
        _show(states.queues)


@queues.command()
@click.argument("name")
@click.option("--reason", default="", help="Shown to whoever looks at the queue.")
@as_json
def pause(name: str, reason: str, json_: bool) -> None:
    """Let no further message begin.

    What runs goes on, and new messages wait.
    """

    async def conversation(broker: Any) -> QueueState:
        from pipelines.queues import pause

        return await pause(broker, name, by=me(), reason=reason)

    _show_one(_ask(conversation), json_)


@queues.command()
@click.argument("name")
@as_json
def resume(name: str, json_: bool) -> None:
    """Let messages begin again."""

    async def conversation(broker: Any) -> QueueState:
        from pipelines.queues import resume

        return await resume(broker, name, by=me())

    _show_one(_ask(conversation), json_)


@queues.command()
@click.argument("name")
@click.argument("most", metavar="N|none")
@as_json
def limit(name: str, most: str, json_: bool) -> None:
    """Let at most N messages be in hand at once, over all workers."""
    number = None if most.lower() == "none" else _limit(most)

    async def conversation(broker: Any) -> QueueState:
        from pipelines.queues import limit

        return await limit(broker, name, number, by=me())

    _show_one(_ask(conversation), json_)


@queues.command()
@click.argument("name")
@click.option("--timeout", type=click.FloatRange(0), default=300.0, show_default=True, help="s")
@click.option("--delayed", is_flag=True, help="Wait for delayed messages too.")
@click.option("--then-pause", is_flag=True, help="Pause it in the step that finds it empty.")
@as_json
def drain(name: str, timeout: float, delayed: bool, then_pause: bool, json_: bool) -> None:
    """Wait until no message waits or is in hand.

    Exit code 1 when the time is over before.
    """
    with err.status(escape(name)) as line:

        def seen(state: QueueState) -> None:
            counts = f"{state.waiting} waiting, {state.in_flight} in flight"
            line.update(escape(f"{name}: {counts}, {state.delayed} delayed"))

        async def conversation(broker: Any) -> QueueState:
            from pipelines.queues import drain

            return await drain(
                broker,
                name,
                by=me(),
                timeout=timeout,
                delayed=delayed,
                then_pause=then_pause,
                seen=seen,
            )

        state = _ask(conversation)
    _show_one(state, json_)


def _ask(conversation: Callable[[Any], Awaitable[T]]) -> T:
    """What the conversation with the broker returns; an unknown queue is exit code 2."""

    async def with_broker(client: Any, settings: Settings) -> T:
        try:
            return await conversation(client.broker)
        except QueueUnknown as error:
            raise Failure(error.message, error.code, NO_SUCH_QUEUE) from None

    return talk(with_broker)


def _limit(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        raise click.BadParameter("a number, or none", param_hint="N|none") from None
    if not 1 <= number <= LIMIT_MAX:
        raise click.BadParameter(f"from 1 to {LIMIT_MAX}; to stop it: pause", param_hint="N|none")
    return number


def _show_one(state: QueueState, json_: bool) -> None:
    if json_:
        print_json(state)
    else:
        _show((state,))


def _show(states: tuple[QueueState, ...]) -> None:
    spare = {"delayed": 1, "readers": 2, "out/s": 3, "in/s": 4}
    names = ("waiting", "running", "delayed", "dead", "oldest", "in/s", "out/s", "readers")
    columns = [Column(name, right=True, spare=spare.get(name, 0)) for name in names]
    rows = []
    for one in states:
        numbers = (one.waiting + one.suspects, one.in_flight, one.delayed, one.dead)
        cells = (
            *(str(number) for number in numbers),
            _age(one.oldest_seconds),
            *("" if rate is None else f"{rate:.1f}" for rate in (one.rate_in, one.rate_out)),
            str(one.consumers),
        )
        rows.append((escape(one.name), *cells))
    print_table((Column("queue"), *columns), rows)
    for one in states:
        if state := _state(one):
            out.print(f"{escape(one.name)}: {state}")


def _state(one: QueueState) -> str:
    """What is not as usual."""
    parts = []
    if one.paused is not None:
        when = one.paused.at.astimezone().strftime("%Y-%m-%d %H:%M")
        reason = f": {one.paused.reason}" if one.paused.reason else ""
        parts.append(f"[yellow]{escape(f'paused by {one.paused.by}, {when}{reason}')}[/yellow]")
    if one.limit is not None:
        parts.append(f"at most {one.limit} at once")
    if one.consumers == 0:
        parts.append("[red]nobody reads it[/red]")
    return ", ".join(parts)


def _age(seconds: float | None) -> str:
    if seconds is None:
        return ""
    for unit, length in (("d", 86_400), ("h", 3600), ("m", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.1f} s"
