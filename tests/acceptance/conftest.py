"""One Casebook with the sample, shared by the tests that leave the sample alone."""

from collections.abc import Iterator

import httpx
import pytest

from tests.support.casebook import Casebook, running

READ_TIMEOUT = 60.0  # seconds: reads here are answered, on a busy machine, too


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Search by meaning first: it makes vectors of all entries, and others import thousands."""
    items.sort(key=lambda item: item.path.name != "test_semantic.py")


@pytest.fixture(scope="package")
def casebook(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Casebook]:
    """Everything that `casebook up --sample` starts; stopped before other folders' tests begin."""
    settings = {"CASEBOOK_READ_TIMEOUT": f"{READ_TIMEOUT:g}"}
    with running(tmp_path_factory.mktemp("data"), "--sample", **settings) as casebook:
        yield casebook


@pytest.fixture
def http(casebook: Casebook) -> Iterator[httpx.Client]:
    """A client of the shared one."""
    with casebook.http() as client:
        yield client
