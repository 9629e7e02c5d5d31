"""A folder of entries judged before anyone imports it; no server is needed."""

import sys
from dataclasses import asdict
from pathlib import Path

import click

from commands.base import as_json, err, out, plain, print_json
from commands.sources import unable


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--codes",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The codes that entries may name, a tab behind each; by default FOLDER/codes.tsv.",
)
@click.option(
    "--category", "categories", multiple=True, metavar="NAME", help="Known beside the preset ones."
)
@click.option("--ignore", "ignored", multiple=True, metavar="CODE", help="Findings to leave out.")
@as_json
def lint(
    folder: Path,
    codes: Path | None,
    categories: tuple[str, ...],
    ignored: tuple[str, ...],
    json_: bool,
) -> None:
    """Check the Markdown entries in FOLDER: each by itself, and that they fit together.

    Exit code 1 when something is found.
    """
    from pipelines import linting

    with unable():
        rules = linting.rules_for(folder, codes, categories, ignored)
        files, findings = linting.lint(folder, rules)
    if json_:
        print_json({"files": files, "findings": [asdict(finding) for finding in findings]})
    else:
        for finding in findings:
            out.print(plain(str(finding)), soft_wrap=True)
        err.print(f"[dim]{files:,} files, {len(findings):,} findings[/dim]")
    sys.exit(1 if findings else 0)
