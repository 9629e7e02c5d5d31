"""The index of a node, on the node's own queue `index@NODE`: each node follows for itself."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from uuid import UUID

from actors.actor import actor
from actors.queues import INDEX
from actors.tracking import Tracked
from contracts.base import Nothing
from contracts.errors import IndexBackupUnusable, IndexUnavailable
from contracts.search import (
    BackUpIndex,
    CheckIndex,
    FollowIndex,
    IndexBackup,
    IndexChecked,
    IndexDamage,
    IndexStatus,
    IndexVerified,
    RebuildIndex,
    RestoreIndex,
    VerifyIndex,
)
from storage.index.backup import Manifest
from storage.index.follower import START, Follower
from storage.index.searcher import IndexReader
from storage.postgres.store import Store, Transaction

HELD_DELAY = 20  # ms until changes that an open transaction holds back are looked at again
SLICE = 5_000  # rows a statement when comparing
SHOWN = 20  # ids that a comparison names


class Again:
    """How `follow` asks to be run again, and whom it tells what it has published; given by the
    indexer's root.

    published: called after each batch: answers have cooled
    announce:  says what is published; with `again` also where nothing is new
    """

    def __init__(
        self,
        nudge: Callable[[int], None],
        published: Callable[[], None] = lambda: None,
        announce: Callable[[bool], None] = lambda again: None,
    ) -> None:
        self.nudge = nudge
        self.published = published
        self.announce = announce


@actor(queue=INDEX, time_limit=timedelta(hours=1))
def follow(request: FollowIndex, follower: Follower, again: Again) -> Nothing:
    """Apply one batch of changes to the index; asks to be run again where there are more."""
    done = follower.step()
    again.announce(False)
    if done.applied:
        again.published()
    if done.more:
        again.nudge(0)
    elif done.held:
        again.nudge(HELD_DELAY)
    return Nothing()


@actor(queue=INDEX, time_limit=timedelta(hours=6))
def rebuild(command: RebuildIndex, follower: Follower, again: Again, tracked: Tracked) -> Nothing:
    """Build the index anew and swap; twice is only slower than once. Raises: TaskCanceled."""
    follower.rebuild(tracked.report)
    again.nudge(0)
    return Nothing()


@actor(queue=INDEX, read=True, time_limit=timedelta(hours=1))
def check(request: CheckIndex, follower: Follower, again: Again) -> IndexChecked:
    """Compare files with their checksums; what is damaged is built anew, after this run.

    Raises: IndexUnavailable.
    """
    found = follower.check(whole=request.whole)
    again.announce(True)  # each minute: Redis may have lost it
    if found.damaged:
        again.nudge(0)
    return IndexChecked(files=found.files, bytes=found.size, damaged=found.damaged)


@actor(queue=INDEX, read=True, time_limit=timedelta(hours=1))
def backup(request: BackUpIndex, follower: Follower) -> IndexBackup:
    """Copy the index; it follows no changes meanwhile.

    Raises: IndexUnavailable, LiveData, IndexBackupUnwritable.
    """
    return _of(follower.backup(Path(request.to)), request.to)


@actor(queue=INDEX, time_limit=timedelta(hours=1), fatal=(IndexBackupUnusable,))
def restore(command: RestoreIndex, follower: Follower, again: Again) -> IndexBackup:
    """Go on from a backup; twice is only slower than once. Raises: IndexBackupUnusable."""
    manifest = follower.restore(Path(command.source))
    again.nudge(0)
    return _of(manifest, command.source)


def _of(manifest: Manifest, folder: str) -> IndexBackup:
    return IndexBackup(
        folder=folder,
        documents=manifest.documents,
        position=str(manifest.position),
        files=len(manifest.files),
        bytes=manifest.size,
    )


@actor(queue="reads", read=True)
def status(request: Nothing, index: IndexReader, store: Store) -> IndexStatus:
    """How far the index is, as the answering worker's node has it.

    Not on the node's own queue: there it would wait behind a rebuild. Raises: IndexUnavailable
    before the first build has ended.
    """
    published = index.published()
    if published is None:
        raise IndexUnavailable()
    position = published.position
    with store.transaction() as tx:
        behind = tx.row("feed.behind", txid=str(position.txid), seq=position.seq)
        assert behind is not None
    return IndexStatus(
        generation=published.generation,
        position=str(position),
        documents=published.documents,
        folder=published.folder,
        language=published.language,
        damage=_damage(index, published.folder),
        behind=behind["changes"],
        behind_seconds=behind["seconds"],
    )


def _damage(index: IndexReader, folder: str) -> IndexDamage | None:
    if (found := index.damage()) is None:
        return None
    return IndexDamage(**found._asdict(), mended=found.folder != folder)


@actor(queue=INDEX, read=True, time_limit=timedelta(minutes=10))
def verify(
    request: VerifyIndex, follower: Follower, index: IndexReader, store: Store
) -> IndexVerified:
    """Compare every live entry's version with the index, as of one moment.

    The index is brought up to date first; entries that change meanwhile are left out.
    """
    while follower.step().applied:
        pass
    published = index.published()
    if published is None:
        raise IndexUnavailable()
    indexed = dict(index.ids_and_versions())
    stored: dict[str, int] = {}
    after = START
    while True:
        with store.transaction() as tx:
            rows = tx.rows("feed.scan_versions", after=after, limit=SLICE)
        if not rows:
            break
        stored |= {row["id"]: row["version"] for row in rows}
        after = UUID(rows[-1]["id"])
    with store.transaction() as tx:
        moving = _changed_since(tx, published.position.txid, published.position.seq)
    missing = [key for key in stored if key not in indexed and key not in moving]
    orphaned = [key for key in indexed if key not in stored and key not in moving]
    outdated = [
        key
        for key, version in stored.items()
        if key in indexed and indexed[key] != version and key not in moving
    ]
    return IndexVerified(
        entries=len(stored),
        documents=len(indexed),
        missing=tuple(UUID(key) for key in missing[:SHOWN]),
        outdated=tuple(UUID(key) for key in outdated[:SHOWN]),
        orphaned=tuple(UUID(key) for key in orphaned[:SHOWN]),
        agrees=not (missing or outdated or orphaned),
        position=str(published.position),
    )


def _changed_since(tx: Transaction, txid: int, seq: int) -> set[str]:
    return {row["id"] for row in tx.rows("feed.changed_since", txid=str(txid), seq=seq)}
