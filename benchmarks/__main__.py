"""All benchmarks, one after another: `python -m benchmarks`. Each also runs alone, with options."""

import subprocess
import sys

from benchmarks.processes import PROJECT

MODULES = ("queue", "drain", "dead_letters", "imports", "neighbours", "system", "overload")


def main() -> bool:
    """Run each; whether all ended well."""
    well = True
    for module in MODULES:
        print(f"== python -m benchmarks.{module}", flush=True)
        done = subprocess.run([sys.executable, "-m", f"benchmarks.{module}"], cwd=PROJECT)
        well = well and done.returncode == 0
    return well


if __name__ == "__main__":
    sys.exit(not main())
