"""All benchmarks, one after another: `python -m benchmarks`."""

import subprocess
import sys

from benchmarks.processes import PROJECT

for module in ("queue", "system"):
    print(f"== python -m benchmarks.{module}", flush=True)
    subprocess.run([sys.executable, "-m", f"benchmarks.{module}", *sys.argv[1:]], cwd=PROJECT)
