"""Bulk imports: each chunk of rows is one message, done once."""

from datetime import timedelta

import orjson
from psycopg.types.json import Jsonb

from actors import links, tracking
from actors.actor import actor
from actors.naming import named, named_by_none, refused_names
from actors.rows import by_source, candidates_of, canonical, in_order, validate
from actors.screening import Candidate, Policy, adopt, compare, screen
from actors.staging import clear, prepare, stage, switch
from actors.storing import NOTHING, added, store_rows
from contracts.base import Nothing, new_id
from contracts.errors import (
    ChunkChanged,
    ImportCanceled,
    ImportFinished,
    ImportNotFound,
    ImportUndone,
)
from contracts.imports import (
    NOTES_MAX,
    CheckChunk,
    ChunkChecked,
    ChunkDone,
    Duplicates,
    FinishImport,
    GetImport,
    ImportChunk,
    ImportCounts,
    ImportMode,
    ImportPage,
    ImportReport,
    ImportStarted,
    ListImports,
    Reject,
    StartImport,
    StopImport,
)
from storage.postgres.effects import once
from storage.postgres.store import Row, Store, Transaction


@actor(queue="imports")
def start(command: StartImport, store: Store) -> ImportStarted:
    """Open an import for chunks."""

    def effect(tx: Transaction) -> ImportStarted:
        import_id = new_id()
        tx.run(
            "imports.start",
            id=import_id,
            source=command.source,
            files=list(command.files),
            by=command.by,
            mode=command.mode,
            duplicates=command.duplicates,
        )
        count = max(command.file_count, len(command.files))
        files = {"files": list(command.files[:1]), "file_count": count}
        details = {"source": command.source, **files}
        tracking.open_task(
            tx, import_id, "import", command.by, status="processing", details=details
        )
        return ImportStarted(id=import_id)

    return once(store, "imports.start", command, ImportStarted, effect)


@actor(queue="imports", time_limit=timedelta(minutes=2))
def chunk(command: ImportChunk, store: Store) -> ChunkDone:
    """Store the good rows and record the bad ones, in one transaction.

    Arriving again it answers as the first time. Raises: ImportNotFound, ImportFinished,
    ImportCanceled, ImportUndone, ChunkChanged when `(import_id, chunk)` was done with other rows.
    """
    good, rejects = validate(command)
    with store.transaction() as tx:
        policy = _open_import(tx, command)
        done = _claim(tx, command)
        if done is not None:
            return done
        if policy.compares_texts:
            tx.run("imports.lock_texts")
        stored = dict(NOTHING)
        for own, candidates in by_source(candidates_of(good, canonical(tx, good)), policy):
            adopt(tx, candidates, own.source)
            taken, refused = screen(tx, candidates, own, command.import_id)
            rejects += refused
            if own.mode is ImportMode.REPLACE:
                unsure = named_by_none(command, good)
                stage(tx, command, taken, refused_names(command, taken), own, unsure=unsure)
            else:
                columns = [candidate.columns for candidate in taken]
                stored = added(stored, store_rows(tx, columns, own, command.by))
                links.state(tx, command.import_id, own.source, columns)
        rejects = in_order(rejects, command)
        _record(tx, command, rejects)
        changed = stored["created"] + stored["updated"]
        counts = ImportCounts(
            received=len(command.rows) + len(command.rejects),
            created=stored["created"],
            updated=stored["updated"],
            unchanged=len(command.rows) + len(command.rejects) - len(rejects) - changed,
            rejected=len(rejects),
        )
        tx.run(
            "imports.count_chunk",
            import_id=command.import_id,
            chunk=command.chunk,
            archived=stored["archived"],
            txid=stored["txid"],
            seq=stored["seq"],
            **counts.model_dump(),
        )
        if changed:
            tx.notify()
        told = tuple(reject.model_copy(update={"row": ""}) for reject in rejects)
        return ChunkDone(counts=counts, position=_position(tx, stored), rejects=told)


@actor(queue="imports", time_limit=timedelta(minutes=10))
def finish(command: FinishImport, store: Store) -> ImportReport:
    """Close an import; finishing it again answers the same. A replace takes effect here.

    Raises: ImportNotFound; ImportFinished when chunks of it are missing, ChunkChanged when more
    are stored; ImportCanceled; ImportUndone; ReplaceTooMuch, and the import stays open.
    """
    with store.transaction() as tx:
        replaces = _replaces(tx, command)
    if replaces:
        prepare(store, command.import_id)
    finished = _finish(command, store)
    if replaces:
        clear(store, command.import_id)
    return finished


def _replaces(tx: Transaction, command: FinishImport) -> bool:
    row = tx.row("imports.mode", id=command.import_id)
    return row is not None and row["mode"] == ImportMode.REPLACE and not row["finished"]


def _finish(command: FinishImport, store: Store) -> ImportReport:
    with store.transaction() as tx:
        task = tx.row("tasks.lock", id=command.import_id)
        opened = tx.row("imports.lock_to_finish", id=command.import_id)
        if opened is not None and opened["undone_by"] is not None and not opened["finished"]:
            raise ImportUndone.by(opened["undone_by"], command.import_id)
        if task is not None and task["status"] == "canceled":
            raise ImportCanceled(id=str(command.import_id))
        done = tx.row("imports.count_done", id=command.import_id, chunks=command.chunks)
        assert done is not None
        _refuse_other_size(command, done["chunks"], done["beyond"])
        notes = list(command.notes)
        if opened is not None and opened["switches"]:
            notes += switch(tx, command, opened["started_by"], opened["source"])
        tx.run(
            "imports.finish",
            id=command.import_id,
            chunks=command.chunks,
            notes=[
                *_archived_note(done["archived"]),
                *notes,
                *links.notes(tx, command.import_id),
            ][:NOTES_MAX],
        )
        tx.run("tasks.succeed", id=command.import_id)
        return _report(tx, GetImport(id=command.import_id))


def _refuse_other_size(command: FinishImport, stored: int, beyond: int) -> None:
    """Raises: ImportFinished, ChunkChanged."""
    if beyond:  # they were of a source that had more: what is in them is not gone from it
        raise ChunkChanged(
            f"This source has {command.chunks:,} chunks, and {stored + beyond:,} are stored: it is "
            "not all of what the import was begun with. Go on with the whole of it, or begin a new "
            "import.",
            chunks=command.chunks,
            stored=stored + beyond,
        )
    if stored < command.chunks:
        raise ImportFinished(
            f"Only {stored} of {command.chunks} chunks have been stored.", stored=stored
        )


def _archived_note(rows: int) -> list[str]:
    stay = f"Rows about entries that someone has archived, and that stay archived: {rows:,}."
    return [stay] if rows else []


@actor(queue="imports")
def stop(command: StopImport, store: Store) -> Nothing:
    """Let the import's task fail with the reason why its client did not go on.

    Only the client knows it. The import stays open: resuming it takes the reason away.
    """

    def effect(tx: Transaction) -> Nothing:
        error = Jsonb(command.error.model_dump(mode="json"))
        tx.run("tasks.stop", id=command.import_id, error=error)
        return Nothing()

    return once(store, "imports.stop", command, Nothing, effect)


@actor(queue="reads", read=True)
def report(request: GetImport, store: Store) -> ImportReport:
    """What is known of an import. Raises: ImportNotFound."""
    with store.transaction() as tx:
        return _report(tx, request)


@actor(queue="reads", read=True)
def list_page(request: ListImports, store: Store) -> ImportPage:
    """One page of imports, the newest first, without their rejects."""
    given = request.model_dump(exclude={"limit"}, exclude_none=True)
    with store.transaction() as tx:
        rows = tx.rows("imports.report", tuple(given), limit=request.limit + 1, **given)
        short = [row | {"files": row["files"][:1]} for row in rows[: request.limit]]
        found = tuple(_of_row(tx, row) for row in short)
    more = len(rows) > request.limit
    return ImportPage(imports=found, next_cursor=found[-1].id if more else None)


@actor(queue="reads", read=True)
def check(request: CheckChunk, store: Store) -> ChunkChecked:
    """What a chunk of these rows would come to. Nothing is written."""
    good, rejects = validate(request)
    policy = Policy(request.source, request.mode, request.duplicates)
    created, updated, there = 0, 0, Row()
    with store.transaction() as tx:
        entries = canonical(tx, good, ensure=False)
        for own, candidates in by_source(candidates_of(good, entries), policy):
            taken, refused = screen(tx, candidates, own)
            rejects += refused
            compared = compare(tx, (candidate.columns for candidate in taken), own)
            created += len(compared.new)
            updated += len(compared.different)
            if own.mode is ImportMode.REPLACE:
                there = _named_of_all(tx, request, taken)
    received = len(request.rows) + len(request.rejects)
    counts = ImportCounts(
        received=received,
        created=created,
        updated=updated,
        unchanged=received - created - updated - len(rejects),
        rejected=len(rejects),
    )
    unsure = named_by_none(request, good)
    told = tuple(in_order(rejects, request))
    return ChunkChecked(counts=counts, rejects=told, unsure=unsure, **there)


def _named_of_all(tx: Transaction, request: CheckChunk, taken: list[Candidate]) -> Row:
    """`{live, named}`: the source's entries, and how many of them these rows are about."""
    texts = [c.columns["text_digest"] for c in taken if c.columns["external_id"] is None]
    found = tx.row(
        "imports.live",
        source=request.source,
        external_ids=sorted(named(request)),
        text_digests=texts,
    )
    assert found is not None
    return found


def _open_import(tx: Transaction, command: ImportChunk) -> Policy:
    row = tx.row("imports.lock_open", id=command.import_id)
    if row is None:
        raise ImportNotFound(id=str(command.import_id))
    # What was done before is answered as then, whatever has become of the import.
    if row["undone_by"] is not None and _claim(tx, command) is None:
        raise ImportUndone.by(row["undone_by"], command.import_id)
    if row["canceled"] and _claim(tx, command) is None:
        raise ImportCanceled(id=str(command.import_id))
    if row["finished"] and _claim(tx, command) is None:
        raise ImportFinished(id=str(command.import_id))
    return Policy(row["source"], ImportMode(row["mode"]), Duplicates(row["duplicates"]))


def _claim(tx: Transaction, command: ImportChunk) -> ChunkDone | None:
    """Take the chunk, or what its first arrival answered."""
    place = {"import_id": command.import_id, "chunk": command.chunk}
    if tx.row("imports.claim_chunk", digest=command.digest, **place) is not None:
        return None
    row = tx.row("imports.chunk", **place)
    assert row is not None
    if row["digest"] != command.digest:
        raise ChunkChanged(
            f"Chunk {command.chunk} was stored before with other rows: the file has changed.",
            chunk=command.chunk,
        )
    counts = ImportCounts(**{name: row[name] for name in ImportCounts.model_fields})
    told = tuple(Reject(**one) for one in tx.rows("imports.chunk_rejects", **place))
    return ChunkDone(counts=counts, position=_position(tx, row), rejects=told)


def _record(tx: Transaction, command: ImportChunk, rejects: list[Reject]) -> None:
    if rejects:
        rows = [{"place": place, **reject.model_dump()} for place, reject in enumerate(rejects)]
        tx.run(
            "imports.reject",
            import_id=command.import_id,
            chunk=command.chunk,
            rejects=orjson.dumps(rows).decode(),
        )


def _report(tx: Transaction, request: GetImport) -> ImportReport:
    row = tx.row("imports.report", ("id",), id=request.id, limit=1)
    if row is None:
        raise ImportNotFound(id=str(request.id))
    rejects = tx.rows("imports.rejects", id=request.id, limit=request.limit, offset=request.offset)
    told = tuple(Reject(**reject) for reject in rejects)
    return _of_row(tx, row).model_copy(update={"rejects": told})


def _of_row(tx: Transaction, row: Row) -> ImportReport:
    """A row of `imports.report` as a report without rejects."""
    return ImportReport(
        id=row["id"],
        source=row["source"],
        files=tuple(row["files"]),
        file_count=row["file_count"],
        by=row["started_by"],
        status=row["status"],
        mode=row["mode"],
        duplicates=row["duplicates"],
        archived=row["archived"],
        counts=ImportCounts(**{name: row[name] for name in ImportCounts.model_fields}),
        chunks=row["chunks"],
        started_at=row["started_at"],
        finished_at=row["finished_at"],
        position=_position(tx, row),
        error=row["error"],
        undone_by=row["undone_by"],
        notes=tuple(row["notes"]),
    )


def _position(tx: Transaction, row: Row) -> str | None:
    return str(tx.position(row["txid"], row["seq"])) if row["txid"] is not None else None
