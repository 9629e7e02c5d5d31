"""One Casebook without the sample, shared by the tests that leave it running as they found it."""

from collections.abc import Iterator

import pytest

from tests.support.casebook import Casebook, running


@pytest.fixture(scope="package")
def casebook(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Casebook]:
    """Everything that `casebook up` starts. Each test has a source of its own."""
    with running(tmp_path_factory.mktemp("data")) as casebook:
        yield casebook
