"""`casebook`: every command on one screen; what each does is in `commands/`.

Exit codes: 0 done; 1 refused, or some rows rejected; 2 could not run as asked; 3 PostgreSQL or
Redis can't be reached; 4 a write is kept in its queue and not done yet.
"""

import importlib

import click

#: Name → module of `commands` and what it is called there.
COMMANDS = {
    # entries
    "add": "entries:add",
    "get": "entries:get",
    "edit": "entries:edit",
    "rm": "entries:rm",
    "list": "entries:list_",
    "search": "search:search",
    "suggest": "search:suggest",
    "similar": "search:similar",
    "rate": "rate:rate",
    "import": "bulk:import_",
    "watch": "watch:watch",
    "export": "export:export",
    "lint": "lint:lint",
    "change": "change:change",
    "imports": "change:imports",
    "mappings": "mappings:mappings",
    "synonyms": "tuning:synonyms",
    "pins": "tuning:pins",
    "searches": "saved_searches:searches",
    "semantic": "semantic:semantic",
    # what is running
    "status": "status:status",
    "reindex": "status:reindex",
    "index": "index:index",
    "warm": "warm:warm",
    "stats": "stats:stats",
    "doctor": "doctor:doctor",
    "alerts": "alerts:alerts",
    "errors": "alerts:errors",
    "trace": "trace:trace",
    "slow": "trace:slow",
    "queues": "queues:queues",
    "tasks": "tasks:tasks",
    "dead": "dead:dead",
    # running it
    "up": "up:up",
    "down": "up:down",
    "worker": "processes:worker",
    "serve": "processes:serve",
    "migrate": "processes:migrate",
    "backup": "backup:backup",
    "restore": "backup:restore",
    "settings": "settings:settings",
}


class Commands(click.Group):
    """A group that imports a command when it is asked for: all together take half a second."""

    def list_commands(self, context: click.Context) -> list[str]:
        """Their names, for help."""
        return sorted(COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        """The command of that name."""
        if name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[name].partition(":")
        found: click.Command = getattr(importlib.import_module(f"commands.{module}"), attribute)
        return found


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="casebook")
def main() -> None:
    """Casebook: problems and their solutions, found while something is broken."""


if __name__ == "__main__":
    main(prog_name="casebook")
