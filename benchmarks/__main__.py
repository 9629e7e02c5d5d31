"""All benchmarks, one after another: `python -m benchmarks`. Each also runs alone, with options."""

import subprocess
import sys

from benchmarks.processes import PROJECT

failed = False
for module in ("queue", "drain", "dead_letters", "imports", "neighbours", "system", "overload"):
    print(f"== python -m benchmarks.{module}", flush=True)
    done = subprocess.run([sys.executable, "-m", f"benchmarks.{module}"], cwd=PROJECT)
    failed = failed or done.returncode != 0
sys.exit(failed)
