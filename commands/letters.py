"""Dead letters as a person reads them."""

import orjson

from commands.base import out, plain
from commands.when import shown, since
from contracts.dead_letters import (
    Attempt,
    DeadLetter,
    DeadLetterPage,
    DeadLetterWhole,
    LetterGroup,
    LetterGroups,
    LetterState,
)

#: Of the report, what is shown elsewhere.
SAID = frozenset(("at", "worker", "deliveries", "first_failed"))


def letters(number: int) -> str:
    """So many letters."""
    return "1 letter" if number == 1 else f"{number:,} letters"


def show_page(page: DeadLetterPage) -> None:
    """A page: two lines a letter, the id whole, to be copied."""
    for one in page.letters:
        out.print(f"[bold]{one.id}[/bold]  {shown(one.failed_at)}  {_how(one)}", soft_wrap=True)
        _line(f"    {_what(one)}: {_first_line(one.message)}")
    if not page.letters:
        out.print("no such letters.")
    if page.next_cursor:
        out.print(f"[dim]more: --cursor {page.next_cursor}[/dim]", soft_wrap=True)


def show_groups(found: LetterGroups) -> None:
    """Each group with its last message, and how to read on."""
    for group in found.groups:
        out.print(f"[bold]{group.count:,}[/bold] x {_group(group)}", soft_wrap=True)
        _line(f"    [dim]{_first_line(group.message)}[/dim]")
        out.print(f"    [dim]casebook dead show {group.example}[/dim]", soft_wrap=True)
    if not found.groups:
        out.print("no such letters.")


def show_letter(letter: DeadLetterWhole) -> None:
    """One letter: what happened, what was asked for, what can be done."""
    out.print(f"[bold]{_what(letter)}[/bold]  {_how(letter)}", soft_wrap=True)
    if letter.message:
        out.print(plain(letter.message), soft_wrap=True)
    times = f"first failed {shown(letter.first_failed_at)}, died {shown(letter.failed_at)}"
    out.print(
        f"[dim]letter  {letter.id}\nmessage {plain(letter.message_id)}, {letter.size:,} bytes, "
        f"queue {plain(letter.queue)}\n{times}[/dim]",
        soft_wrap=True,
    )
    for number, attempt in enumerate(letter.attempts, 1):
        out.print(f"[dim]{_attempt(number, attempt)}[/dim]", soft_wrap=True)
    if letter.attempts and letter.attempts[-1].traceback:
        out.print(f"\n[dim]{plain(letter.attempts[-1].traceback.rstrip())}[/dim]", soft_wrap=True)
    for name, value in letter.report.items():
        if name not in SAID:
            out.print(f"[dim]{plain(name)}: {plain(str(value))}[/dim]", soft_wrap=True)
    _show_request(letter)
    out.print(f"\n{_next(letter)}", soft_wrap=True)


def _show_request(letter: DeadLetterWhole) -> None:
    if letter.body is None:
        out.print(f"\n[bold]Bytes[/bold]\n{plain(letter.raw or '')}", soft_wrap=True)
        return
    args = letter.body["args"]
    request = args[0] if len(args) == 1 else args
    text = orjson.dumps(request, option=orjson.OPT_INDENT_2).decode()
    title = "Request, edited" if letter.edited else "Request"
    out.print(f"\n[bold]{title}[/bold]\n{plain(text)}", soft_wrap=True)


def _next(letter: DeadLetterWhole) -> str:
    """What became of it, or what can be done."""
    by = f" by {plain(letter.changed_by)}" if letter.changed_by else ""
    at = shown(letter.changed_at)
    if letter.state == LetterState.DISCARDED:
        why = plain(letter.discarded_why or "")
        return f"discarded{by} at {at}: {why}\ncasebook dead restore {letter.id}"
    if letter.state != LetterState.DEAD:
        task = f"\ncasebook tasks show {letter.replayed_by}" if letter.replayed_by else ""
        return f"{letter.state}{by} at {at}{task}"
    discard = f'casebook dead discard {letter.id} --why "..."'
    if not letter.replayable:
        return f"It can't be read or sent by this release: it can only be discarded.\n{discard}"
    return f"casebook dead edit {letter.id}\ncasebook dead replay {letter.id}\n{discard}"


def _group(group: LetterGroup) -> str:
    first, last = since(group.first_failed_at), since(group.failed_at)
    until = f", last {last}" if last != first else ""
    where = plain(group.actor) or "unreadable messages"
    return f"{plain(group.error or group.reason)} in {where} since {first}{until}"


def _what(letter: DeadLetter) -> str:
    return f"{plain(letter.actor) or 'unreadable'} {plain(letter.error)}".rstrip()


def _how(letter: DeadLetter) -> str:
    """Why it died, and after how much."""
    tries = f" after {letter.deliveries} tries" if letter.deliveries > 1 else ""
    again = f", [yellow]replayed {letter.replays} x before[/yellow]" if letter.replays else ""
    state = "" if letter.state == LetterState.DEAD else f", now {letter.state}"
    return f"[red]{plain(letter.reason)}[/red]{tries}{again}{state}"


def _attempt(number: int, attempt: Attempt) -> str:
    took = f", {attempt.ms:,.0f} ms" if attempt.ms is not None else ""
    error = plain(attempt.error.rpartition(".")[2])
    said = f"{error}: {_first_line(attempt.message)}"
    return f"{number}. {shown(attempt.at)}{took} on {plain(attempt.worker)}: {said}"


def _first_line(text: str) -> str:
    return plain(text.strip().partition("\n")[0])


def _line(text: str) -> None:
    """One line, cut where the terminal ends."""
    out.print(text, no_wrap=True, overflow="ellipsis", crop=True)
