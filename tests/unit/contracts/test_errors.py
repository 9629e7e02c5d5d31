"""The error tree: codes that never clash, and errors that survive the journey."""

import pytest

from contracts import errors
from contracts.errors import CasebookError, EntryNotFound, VersionConflict, from_dict


def tree(cls: type[CasebookError] = CasebookError) -> list[type[CasebookError]]:
    """Every error class of ours."""
    return [cls, *(found for child in cls.__subclasses__() for found in tree(child))]


def test_each_class_of_the_contracts_has_a_code_of_its_own() -> None:
    """A code names one class."""
    codes = [cls.code for cls in tree() if cls.__module__ == errors.__name__]
    assert len(codes) == len(set(codes))


@pytest.mark.parametrize("cls", tree(), ids=lambda cls: cls.__name__)
def test_an_error_without_a_message_explains_itself(cls: type[CasebookError]) -> None:
    """The docstring is the default message, on one line."""
    message = cls().message
    assert message.endswith(".")
    assert "\n" not in message
    assert "details." not in message  # over HTTP they are members of the problem itself


def test_an_error_travels() -> None:
    """Class, message and details come back from their JSON form."""
    back = from_dict(VersionConflict("Too late.", current_version=3).as_dict())
    assert type(back) is VersionConflict
    assert (back.message, back.details) == ("Too late.", {"current_version": 3})


def test_a_code_of_a_newer_release_is_still_an_error() -> None:
    """An unknown code becomes the plain error, with its message."""
    back = from_dict({"code": "FROM_THE_FUTURE", "message": "Hm.", "details": {}})
    assert type(back) is CasebookError
    assert back.message == "Hm."


def test_not_found_has_one_status() -> None:
    """What is missing is 404, whatever it is."""
    assert EntryNotFound.status == 404
