"""`casebook`: every command on one screen; what each does is in `commands/`.

Exit codes: 0 done; 1 refused, or some rows rejected; 2 could not run as asked; 3 PostgreSQL or
Redis can't be reached; 4 a write is kept in its queue and not done yet.
"""

import click

from commands import (
    alerts,
    backup,
    bulk,
    change,
    dead,
    doctor,
    entries,
    export,
    index,
    lint,
    mappings,
    processes,
    queues,
    rate,
    saved_searches,
    search,
    semantic,
    settings,
    stats,
    status,
    tasks,
    trace,
    tuning,
    up,
    watch,
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="casebook")
def main() -> None:
    """Casebook: problems and their solutions, found while something is broken."""


# entries
main.add_command(entries.add)
main.add_command(entries.get)
main.add_command(entries.edit)
main.add_command(entries.rm)
main.add_command(entries.list_)
main.add_command(search.search)
main.add_command(search.suggest)
main.add_command(search.similar)
main.add_command(rate.rate)
main.add_command(bulk.import_)
main.add_command(watch.watch)
main.add_command(export.export)
main.add_command(lint.lint)
main.add_command(change.change)
main.add_command(change.imports)
main.add_command(mappings.mappings)
main.add_command(tuning.synonyms)
main.add_command(tuning.pins)
main.add_command(saved_searches.searches)
main.add_command(semantic.semantic)

# what is running
main.add_command(status.status)
main.add_command(status.reindex)
main.add_command(index.index)
main.add_command(stats.stats)
main.add_command(doctor.doctor)
main.add_command(alerts.alerts)
main.add_command(alerts.errors)
main.add_command(trace.trace)
main.add_command(trace.slow)
main.add_command(queues.queues)
main.add_command(tasks.tasks)
main.add_command(dead.dead)

# running it
main.add_command(up.up)
main.add_command(up.down)
main.add_command(processes.worker)
main.add_command(processes.serve)
main.add_command(processes.migrate)
main.add_command(backup.backup)
main.add_command(backup.restore)
main.add_command(settings.settings)

if __name__ == "__main__":
    main(prog_name="casebook")
