"""The storm's own harness stays usable: one seed, one round; `make faults` is the long form."""

import os
import subprocess
import sys

from tests.support.casebook import ROOT

ARGUMENTS = ("--seeds", "67", "--rounds", "1", "--theme", "everything")


def test_a_short_storm() -> None:
    """A round of faults under load loses nothing and doubles nothing, and ends in a table."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.storm", *ARGUMENTS],
        cwd=ROOT,
        env={k: v for k, v in os.environ.items() if not k.startswith("CASEBOOK_")},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "| fault | times | losses | doubles | longest recovery s |" in done.stdout
    assert "2 rounds (0 failed)" in done.stdout  # the first is calm
    assert "seed 67 round 1 everything: 8 faults" in done.stdout
