"""Saved mappings on a real PostgreSQL."""

import pytest
from pydantic import ValidationError

from actors import imports, mappings
from contracts.base import Nothing
from contracts.errors import MappingNotFound
from contracts.imports import FinishImport, GetImport, StartImport
from contracts.mappings import DeleteMapping, GetMapping, SavedMapping, SaveMapping, Shape
from storage.postgres.store import Store

SHAPE = Shape(
    mapping={"title": "{a.b}: {c}", "problem": "text.0"},
    defaults={"category": "Batch"},
    splits={"tags": ";"},
)


def saved(store: Store, name: str, shape: Shape = SHAPE) -> SavedMapping:
    """A mapping, just saved."""
    return mappings.save(SaveMapping(name=name, shape=shape, by="ann"), store)


def test_what_is_saved_can_be_read(store: Store) -> None:
    """The shape comes back as it was, with who saved it."""
    one = saved(store, "tickets")
    assert mappings.get(GetMapping(name="tickets"), store) == one
    assert (one.shape, one.updated_by) == (SHAPE, "ann")
    two = saved(store, "archive.v2", Shape())
    assert mappings.list_all(Nothing(), store).mappings == (two, one)


def test_saving_again_replaces(store: Store) -> None:
    """The name has one shape: the last."""
    saved(store, "tickets")
    saved(store, "tickets", Shape(mapping={"title": "name"}))
    assert mappings.get(GetMapping(name="tickets"), store).shape.mapping == {"title": "name"}


def test_a_command_that_comes_twice_is_done_once(store: Store) -> None:
    """The second arrival does not bring back what was saved since or deleted."""
    command = SaveMapping(name="tickets", shape=SHAPE)
    first = mappings.save(command, store)
    gone = DeleteMapping(name="tickets")
    mappings.delete(gone, store)
    assert mappings.save(command, store) == first
    assert mappings.delete(gone, store).name == "tickets"
    assert mappings.list_all(Nothing(), store).mappings == ()


def test_what_is_not_there_is_said(store: Store) -> None:
    """Reading and deleting an unknown name."""
    with pytest.raises(MappingNotFound):
        mappings.get(GetMapping(name="none"), store)
    with pytest.raises(MappingNotFound):
        mappings.delete(DeleteMapping(name="none"), store)


@pytest.mark.parametrize("name", ["", "a b", "../x", "-x", "x" * 101, "a\0", "a\n"])
def test_names_are_plain(name: str) -> None:
    """A name fits a path and a command line."""
    with pytest.raises(ValidationError):
        SaveMapping(name=name, shape=SHAPE)


@pytest.mark.parametrize(
    "shape", [Shape(defaults={"external_id": "same"}), Shape(mapping={"title": "{t"})]
)
def test_what_says_nothing_sensible_is_not_kept(store: Store, shape: Shape) -> None:
    """What an earlier release kept can be looked at and removed all the same."""
    with pytest.raises(ValidationError):
        SaveMapping(name="odd", shape=shape)
    mappings.save(SaveMapping.model_construct(name="odd", shape=shape, by="ann", key="k"), store)
    assert mappings.get(GetMapping(name="odd"), store).shape == shape
    assert mappings.list_all(Nothing(), store).mappings[0].shape == shape


def test_an_import_keeps_its_notes(store: Store) -> None:
    """What was assumed of its sources is part of the report."""
    import_id = imports.start(StartImport(source="notes"), store).id
    assert imports.report(GetImport(id=import_id), store).notes == ()
    finish = FinishImport(import_id=import_id, chunks=0, notes=("x is read as cp1252.",))
    assert imports.finish(finish, store).notes == finish.notes
    assert imports.finish(finish, store).notes == finish.notes
    assert imports.report(GetImport(id=import_id), store).notes == finish.notes
