"""The storm's own harness stays usable: one seed, a few rounds."""

import os
import subprocess
import sys

from tests.support.casebook import ROOT


def test_a_short_storm() -> None:
    """Two rounds of faults under load lose nothing and double nothing, and end in a table."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.storm", "--seeds", "2", "--rounds", "2"],
        cwd=ROOT,
        env={k: v for k, v in os.environ.items() if not k.startswith("CASEBOOK_")},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "| fault | times | losses | doubles | longest recovery s |" in done.stdout
    assert "3 rounds (0 failed)" in done.stdout
