"""The client process of one run: `python -m benchmarks.client PEER URL FILE`.

Puts the peer's client under both loads and writes the figures to FILE as JSON.
"""

import dataclasses
import json
import sys
from pathlib import Path

from benchmarks import peers
from benchmarks.load import measure


def main(name: str, url: str, file: str) -> None:
    """Measure the peer of this name against the server at `url`; its worker is running."""
    figures = measure(peers.load(name).client(url))
    Path(file).write_text(json.dumps(dataclasses.asdict(figures)))


if __name__ == "__main__":
    main(*sys.argv[1:])
