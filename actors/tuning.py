"""What people teach the search: kept here, published beside each index by its writer."""

from datetime import timedelta

from actors.actor import actor
from contracts.base import Nothing
from contracts.errors import EntryNotFound, PinNotFound, SynonymsNotFound, ValidationFailed
from contracts.tuning import PinEntries, SearchTuning, SetSynonyms, TuningChanged, Unpin
from storage.index.tuning import read_all
from storage.postgres.effects import once
from storage.postgres.store import Store, Transaction

POPULAR_EVERY = timedelta(minutes=10)
POPULAR_DAYS = 30
POPULAR_LEAST = 3  # searches that found something
POPULAR_MOST = 1_000  # queries
POPULAR_LENGTH = 100  # characters: nobody goes on typing what was pasted


@actor(queue="entries")
def set_synonyms(command: SetSynonyms, store: Store) -> TuningChanged:
    """Say what means the same as a word.

    Raises: ValidationFailed for a category that there is not; SynonymsNotFound when nothing was to
    be undone.
    """

    def effect(tx: Transaction) -> TuningChanged:
        of = {"category": command.category, "word": command.word}
        if command.same_as:
            _refuse_unknown(tx, command.category)
            tx.run("tuning.set_synonyms", **of, same_as=list(command.same_as), by=command.by)
        elif not tx.run("tuning.delete_synonyms", **of):
            raise SynonymsNotFound(**of)
        return _changed(tx)

    return once(store, "tuning.set_synonyms", command, TuningChanged, effect)


@actor(queue="entries")
def pin(command: PinEntries, store: Store) -> TuningChanged:
    """Show these entries first for a query. Raises: EntryNotFound; archived ones are kept."""

    def effect(tx: Transaction) -> TuningChanged:
        entries = list(dict.fromkeys(command.entries))
        if unknown := tx.rows("tuning.not_entries", entries=entries):
            raise EntryNotFound(id=str(unknown[0]["id"]))
        tx.run("tuning.pin", query=command.query, entries=entries, by=command.by)
        return _changed(tx)

    return once(store, "tuning.pin", command, TuningChanged, effect)


@actor(queue="entries")
def unpin(command: Unpin, store: Store) -> TuningChanged:
    """Show what fits best again. Raises: PinNotFound."""

    def effect(tx: Transaction) -> TuningChanged:
        if not tx.run("tuning.unpin", query=command.query):
            raise PinNotFound(query=command.query)
        return _changed(tx)

    return once(store, "tuning.unpin", command, TuningChanged, effect)


@actor(queue="reads", read=True)
def show(request: Nothing, store: Store) -> SearchTuning:
    """All synonyms and pins, as they were last changed."""
    with store.transaction() as tx:
        return read_all(tx)


@actor(queue="upkeep", time_limit=timedelta(minutes=2))
def popularise(request: Nothing, store: Store) -> Nothing:
    """Count anew what many have asked for and found; searchers suggest it."""
    with store.transaction() as tx:
        tx.run("tuning.lock_popular")
        row = tx.row(
            "tuning.count_popular",
            days=POPULAR_DAYS,
            least=POPULAR_LEAST,
            most=POPULAR_MOST,
            length=POPULAR_LENGTH,
        )
        if row and row["changed"]:
            _changed(tx)
    return Nothing()


def _refuse_unknown(tx: Transaction, category: str) -> None:
    row = tx.row("tuning.has_category", category=category) if category else None
    if row and not row["known"]:
        error = {"field": "category", "message": f"no entry was ever in {category}"}
        raise ValidationFailed("There is no such category.", errors=[error])


def _changed(tx: Transaction) -> TuningChanged:
    """Wakes the indexers, as a change of an entry does."""
    row = tx.row("tuning.changed")
    assert row is not None
    tx.notify()
    return TuningChanged(version=row["version"])
