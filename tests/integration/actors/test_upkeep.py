"""Pruning: what is old goes, counted; what someone may still need stays."""

from pathlib import Path

from actors import entries, tasks, upkeep
from actors.upkeep import Retention
from contracts.base import Nothing
from contracts.entries import CreateEntry, EntryFields
from contracts.tasks import StartTask
from storage.index.follower import Follower
from tests.integration.actors.test_dead_letters import died
from tests.integration.actors.test_tasks import step
from tests.support.house import House


def age(house: House, table: str, column: str, days: int) -> None:
    """Make every row of a table older."""
    with house.store.transaction() as tx:
        sql = f"update {table} set {column} = {column} - make_interval(days => {days})"
        tx.connection.execute(sql.encode())


def prune(house: House, days: int = 90, letters: int = 1_000_000) -> None:
    """Prune with these limits."""
    upkeep.prune(Nothing(), house.store, Retention(days=days, letters=letters))


def count(house: House, table: str) -> int:
    """Rows of a table."""
    return int(house.rows(f"select count(*) as n from {table}")[0]["n"])


def test_old_letters_go_and_are_counted(house: House) -> None:
    """By age, and beyond the number kept the oldest; the audit says how many of which kind."""
    died(house, "a", "b", "c")
    prune(house)
    assert count(house, "dead_letters") == 3
    prune(house, letters=1)
    assert count(house, "dead_letters") == 1
    age(house, "dead_letters", "failed_at", 91)
    prune(house)
    assert count(house, "dead_letters") == 0
    removed = [row["details"]["removed"] for row in house.rows("select details from audit")]
    assert removed == [{"dead failed": 2}, {"dead failed": 1}]


def test_letters_that_were_put_aside_can_be_restored_for_a_month(house: House) -> None:
    """Then they go, though younger than the dead may be."""
    died(house, "a")
    with house.store.transaction() as tx:
        tx.connection.execute("update dead_letters set state = 'discarded', changed_at = now()")
    age(house, "dead_letters", "changed_at", 29)
    prune(house)
    assert count(house, "dead_letters") == 1
    age(house, "dead_letters", "changed_at", 2)
    prune(house)
    assert count(house, "dead_letters") == 0


def test_keys_outlive_the_letters_that_may_be_replayed(house: House) -> None:
    """A letter of the last day finds the key of its effect."""
    entries.create(CreateEntry(entry=EntryFields(title="kept")), house.store)
    age(house, "effects", "at", 96)
    prune(house)
    assert count(house, "effects") == 1
    age(house, "effects", "at", 2)
    prune(house)
    assert count(house, "effects") == 0
    assert count(house, "entries") == 1


def test_ended_tasks_go_and_running_ones_stay(house: House) -> None:
    """However old they are."""
    for text in ("a", "b"):
        house.call(tasks.start, StartTask(type="test", steps=(step("one", text),)))
    with house.store.transaction() as tx:
        tx.connection.execute(
            "update tasks set status = 'succeeded', finished_at = now() "
            "where id = (select min(id::text)::uuid from tasks)"
        )
    age(house, "tasks", "finished_at", 91)
    prune(house)
    assert [row["status"] for row in house.rows("select status from tasks")] == ["enqueued"]
    assert count(house, "task_members") == 1


def test_an_index_that_missed_pruned_changes_is_built_anew(house: House, tmp_path: Path) -> None:
    """One that has them goes on following."""
    behind, ahead = (Follower(tmp_path / name, house.store) for name in "ba")
    rebuilt: list[Follower] = []
    for follower in (behind, ahead):
        follower.step()
    stored = entries.create(CreateEntry(entry=EntryFields(title="before")), house.store)
    ahead.step()
    age(house, "changes", "at", 91)
    prune(house)
    assert count(house, "changes") == 0
    new = Follower(tmp_path / "n", house.store)
    new.step()
    for follower in (behind, ahead, new):
        original = follower.rebuild

        def rebuild(original: object = original, follower: Follower = follower) -> object:
            rebuilt.append(follower)
            return original()  # type: ignore[operator]  # the method

        follower.rebuild = rebuild  # type: ignore[method-assign, assignment]  # only looks on
        follower.step()
        entries.create(CreateEntry(entry=EntryFields(title=f"{follower}")), house.store)
        assert follower.step().applied
        follower.close()
    assert rebuilt == [behind]
    assert stored.entry.title == "before"


def test_with_nothing_to_prune_nothing_is_noted(house: House) -> None:
    """The audit is for what happened."""
    prune(house)
    assert count(house, "audit") == 0
