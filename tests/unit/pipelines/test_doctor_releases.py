"""What `casebook doctor` says of releases."""

from importlib.metadata import version

import pytest

from contracts.system import ProcessState
from pipelines.doctor_releases import OLDEST_POSTGRES, postgres, running


@pytest.mark.parametrize(
    "release", ["18.1", "15.18 (Debian 15.18-0+deb12u1)", "19devel", "18beta1"]
)
def test_a_postgresql_that_it_was_tried_on_is_not_told_of(release: str) -> None:
    """However the release is written."""
    assert postgres(release) == []


@pytest.mark.parametrize("release", ["14.20", "9.6.24", "13.0 (Debian 13.0-1)"])
def test_an_older_postgresql_is_told_of(release: str) -> None:
    """With what it is, and which would do."""
    (found,) = postgres(release)
    assert (found.level, found.about) == ("warning", "database")
    assert release in found.found
    assert str(OLDEST_POSTGRES) in found.remedy


def process(release: str) -> ProcessState:
    """One that runs this release."""
    return ProcessState(node="n1", name="worker-0", pid=1, phase="ready", release=release)


def test_a_process_of_another_release_is_told_of() -> None:
    """Each by its name; one of before they told it is of an earlier one."""
    ours = version("casebook")
    (well,) = running([process(ours), process(ours)])
    assert well.level == "well"
    one, other = running([process("0.0.1"), process(ours), process("")])
    assert (one.level, other.level) == ("warning", "warning")
    assert "worker-0 of n1 runs 0.0.1" in one.found
    assert "an earlier one" in other.found
    assert "Restart" in one.remedy
