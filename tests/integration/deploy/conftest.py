"""Data folders and servers of their own for every test, and an end to tests that hang."""

import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import pytest

from deploy.postgres import EmbeddedPostgres
from deploy.valkey import EmbeddedValkey


@pytest.fixture(autouse=True)
def _bounded() -> Iterator[None]:
    """No test of this folder takes longer than this, whatever hangs."""

    def give_up(number: int, frame: FrameType | None) -> None:
        raise TimeoutError("the test took too long")

    former = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(180)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, former)


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder with a short path that every account can reach."""
    folder = Path(tempfile.mkdtemp(prefix="cb-", dir="/tmp")).resolve()
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def data(short: Path) -> Path:
    """A data folder that isn't there yet."""
    return short / "data"


@pytest.fixture
def postgres(data: Path) -> Iterator[EmbeddedPostgres]:
    """Not started yet; stopped at the end."""
    server = EmbeddedPostgres(data)
    yield server
    server.stop()


@pytest.fixture
def valkey(data: Path) -> Iterator[EmbeddedValkey]:
    """Not started yet; stopped at the end."""
    server = EmbeddedValkey(data)
    yield server
    server.stop()
