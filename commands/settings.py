"""Every knob, its value and where it came from; and the reference in docs/."""

import re
from collections.abc import Iterator
from typing import Any

import click
from pydantic import SecretStr
from pydantic.fields import FieldInfo
from rich.markup import escape

from commands.base import as_json, data_option, failures, file_name, out, print_json
from settings import IN_FILES, PREFIX, Settings, Unit

REFERENCE = """\
# Settings

`casebook settings` prints each with its value and where that came from. An option of a command
wins over its variable, a variable over what runs on the data folder (`DATA/endpoints.json`), that
over the default. An unknown name, a value that can't be used and two that contradict each other
are errors, and nothing starts. This page is made by `casebook settings --reference`.

| variable | default | unit | allowed | what |
| --- | --- | --- | --- | --- |
"""
SECRET_PARTS = re.compile(r"(?i)([?&;][^=&;]*(?:pass|secret|key)[^=&;]*=)[^&;]*")
PASSWORD = re.compile(r"^(\w+://[^/?@:]*:).*@")


@click.command()
@data_option
@click.option("--port", type=int, help="As of `up` and `serve`.")
@click.option("--host", help="As of `up` and `serve`.")
@click.option("--workers", type=int, help="As of `up`.")
@click.option(
    "--reference", is_flag=True, help="Print docs/settings.md: no values, for every host."
)
@as_json
def settings(reference: bool, json_: bool, **overrides: Any) -> None:
    """Each setting, its value, its unit and where it came from; secrets hidden."""
    if reference:
        click.echo(REFERENCE + "\n".join(_reference_rows()))
        return
    with failures():
        values, origins = Settings.traced(**overrides)
    rows = [_row(name, field, values, origins) for name, field in Settings.model_fields.items()]
    if json_:
        print_json({"settings": rows})
    else:
        _show(rows)


def _row(
    name: str, field: FieldInfo, values: Settings, origins: dict[str, str]
) -> dict[str, str | int | float | None]:
    value = getattr(values, name)
    if isinstance(value, SecretStr):
        value = hidden(value.get_secret_value())
    return {
        "name": PREFIX + name.upper(),
        "value": value if isinstance(value, int | float | None) else file_name(str(value)),
        "unit": unit(field),
        "from": origins.get(name, "default"),
        "what": field.description,
    }


def _show(rows: list[dict[str, Any]]) -> None:
    """Whole lines, whatever the terminal's width: they are copied from."""
    lines = [(row["name"], _value(row), row["from"]) for row in rows]
    widths = [max(len(line[column]) for line in lines) for column in (0, 1)]
    for name, value, origin in lines:
        style = "dim" if origin == "default" else "bold"
        text = f"{name:{widths[0]}}  {value:{widths[1]}}  {origin}"
        out.print(f"[{style}]{escape(text)}[/{style}]", soft_wrap=True)


def _value(row: dict[str, Any]) -> str:
    return "-" if row["value"] is None else f"{row['value']} {row['unit']}".strip()


def hidden(url: str) -> str:
    """A URL without its password, nor what else opens a door."""
    return SECRET_PARTS.sub(r"\1***", PASSWORD.sub(r"\1***@", url))


def unit(field: FieldInfo) -> str:
    """What a knob's value counts; empty for a name."""
    return next((one.name for one in field.metadata if isinstance(one, Unit)), "")


def _reference_rows() -> Iterator[str]:
    for name, field in Settings.model_fields.items():
        variable = f"`{PREFIX}{name.upper()}`"
        if name in IN_FILES:
            variable += f", or its file: `{PREFIX}{name.upper()}_FILE`"
        cells = (variable, _default(field), unit(field), _allowed(field), field.description or "")
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _default(field: FieldInfo) -> str:
    if field.default_factory is not None:
        return (field.default_factory.__doc__ or "").strip()
    return "" if field.default is None else f"`{field.default}`"


def _allowed(field: FieldInfo) -> str:
    """The bounds of a number, the names to choose from."""
    choices = getattr(field.annotation, "__args__", ())
    if choices and all(isinstance(one, str) for one in choices):
        return ", ".join(f"`{one}`" for one in choices)
    words = {"ge": "from", "gt": "more than", "le": "to", "lt": "less than"}
    found = [
        f"{word} {bound:,}"
        for name, word in words.items()
        for one in field.metadata
        if (bound := getattr(one, name, None)) is not None
    ]
    return " ".join(found)
