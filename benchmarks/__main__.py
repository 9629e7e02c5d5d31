"""All benchmarks, one after another: `python -m benchmarks`. Each also runs alone, with options."""

import subprocess
import sys

from benchmarks.processes import PROJECT, unwinding

MODULES = (
    "queue",
    "drain",
    "dead_letters",
    "imports",
    "import_memory",
    "neighbours",
    "system",
    "overload",
)


def main() -> bool:
    """Run each; whether all ended well."""
    well = True
    for module in MODULES:
        print(f"== python -m benchmarks.{module}", flush=True)
        well = _run(module) and well
    return well


def _run(module: str) -> bool:
    with (
        unwinding(),
        subprocess.Popen([sys.executable, "-m", f"benchmarks.{module}"], cwd=PROJECT) as process,
    ):
        try:
            return process.wait() == 0
        finally:
            process.terminate()  # where a signal came: it ends what it has started


if __name__ == "__main__":
    sys.exit(not main())
