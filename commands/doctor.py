"""`casebook doctor`: what is wrong here, and what to do about it."""

import os
import platform
import shutil
import stat
import sys
from pathlib import Path
from typing import Any

import click
import orjson
from rich.markup import escape

from commands.base import Failure, as_json, load, out, talk
from contracts.health import Finding
from settings import SecretFile, Settings

STYLES = {"well": "green", "warning": "yellow", "wrong": "red"}
ROOM = 1 << 30  # bytes that should be free


@click.command()
@click.option("--verify", is_flag=True, help="Compare the index with PostgreSQL, entry by entry.")
@as_json
def doctor(verify: bool, json_: bool) -> None:
    """Find what is wrong, and say what to do.

    Exit code 1 when something is wrong, or needs a hand.
    """
    findings = _here()
    if all(one.level != "wrong" or one.about != "settings" for one in findings):
        findings += _there(verify=verify)
    if json_:
        sys.stdout.write(orjson.dumps([one._asdict() for one in findings]).decode() + "\n")
    else:
        for one in findings:
            style = STYLES[one.level]
            found = f"[{style}]{one.level:8}[/{style}]{one.about:12}{escape(one.found)}"
            out.print(found, soft_wrap=True)
            if one.remedy:
                out.print(f"        {'':12}[dim]→ {escape(one.remedy)}[/dim]", soft_wrap=True)
    sys.exit(0 if all(one.level == "well" for one in findings) else 1)


def _here() -> list[Finding]:
    """What this machine alone can tell."""
    try:
        settings = load()
    except Failure as failure:
        return [Finding("wrong", "settings", failure.message, "Mend that variable.")]
    release = f"Python {platform.python_version()}, {platform.system()}"
    findings = [Finding("well", "settings", f"can be read; {release}")]
    return findings + _permissions(settings.data) + _disk(settings.data)


def _permissions(data: Path) -> list[Finding]:
    """Who else can read what only its owner may."""
    findings = []
    for path in (data, *(data / name for name in SecretFile)):
        try:
            found = path.stat()
        except OSError:
            continue
        mode = stat.S_IMODE(found.st_mode)
        if mode & 0o077:
            wanted = "700" if path == data else "600"
            remedy = f"chmod {wanted} {path}"
            if path != data:
                remedy += ", and make a new key if others could have read it"
            findings.append(Finding("wrong", "permissions", f"{path} is {mode:o}", remedy))
        if found.st_uid != os.geteuid():
            remedy = f"Run as uid {found.st_uid}, or change the owner."
            findings.append(Finding("warning", "permissions", f"{path} is another's", remedy))
    return findings or [Finding("well", "permissions", "of secrets are as they should be")]


def _disk(data: Path) -> list[Finding]:
    try:
        usage = shutil.disk_usage(data)
    except OSError as error:
        remedy = "Start it once with `casebook up`, or name another folder: CASEBOOK_DATA."
        return [Finding("warning", "disk", f"{data}: {error.strerror}", remedy)]
    found = f"{usage.free / (1 << 30):.1f} GB free at {data}"
    if usage.free < ROOM or usage.free < 0.05 * usage.total:
        return [Finding("wrong", "disk", found, "Free some space; what is kept stays.")]
    return [Finding("well", "disk", found)]


def _there(*, verify: bool) -> list[Finding]:
    """What the running system tells, or that there is none."""

    async def conversation(client: Any, settings: Settings) -> list[Finding]:
        from pipelines.doctor import examine

        url = settings.cache_url.get_secret_value() if settings.cache_url else None
        return await examine(client, settings.node, settings.data, url, verify=verify)

    try:
        return talk(conversation)
    except Failure as failure:
        remedy = "Start it with `casebook up`; see logs/ in the data folder."
        return [Finding("wrong", "running", failure.message, remedy)]
