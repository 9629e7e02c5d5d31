"""One Casebook with the sample, shared by the tests that leave the sample alone."""

from collections.abc import Iterator

import httpx
import pytest

from tests.support.casebook import Casebook, running


@pytest.fixture(scope="session")
def casebook(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Casebook]:
    """Everything that `casebook up --sample` starts."""
    with running(tmp_path_factory.mktemp("data"), "--sample") as casebook:
        yield casebook


@pytest.fixture
def http(casebook: Casebook) -> Iterator[httpx.Client]:
    """A client of the shared one."""
    with casebook.http() as client:
        yield client
