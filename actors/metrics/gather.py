"""All processes of a node read as one."""

import fcntl
import http.client
import logging
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import orjson

from actors.metrics.exporter import FOLDER
from contracts.health import CircuitState

log = logging.getLogger(__name__)

WITHIN = 2.0  # seconds that one process may take to answer
END = "# EOF"


def listed(data: Path) -> dict[str, str]:
    """Where each living process of this node shows what it measures: its name → its URL."""
    found = {}
    for path in sorted((data / FOLDER).glob("*.json")):
        try:
            with path.open("rb") as file:
                if _is_held(file.fileno()):
                    found[path.stem] = str(orjson.loads(file.read())["url"])
        except (OSError, orjson.JSONDecodeError, KeyError, TypeError) as error:
            log.debug("%s is not read: %s", path, error)
    return found


def read(url: str, accept: str = "") -> str | None:
    """What the process at `url` shows, or None when it does not answer."""
    place = urlsplit(url)
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=WITHIN)
    try:
        connection.request("GET", place.path, headers={"Accept": accept})
        return connection.getresponse().read().decode()
    except (OSError, http.client.HTTPException) as error:
        log.debug("%s does not answer: %s", url, error)
        return None
    finally:
        connection.close()


def circuits(data: Path) -> list[CircuitState]:
    """The circuit breakers of this node's processes, as far as they answer."""
    living = listed(data)
    if not living:
        return []
    with ThreadPoolExecutor(len(living)) as pool:  # one that hangs holds up no other
        texts = pool.map(
            lambda url: read(url.removesuffix("/metrics") + "/circuits"), living.values()
        )
        found = zip(living, texts, strict=True)
        return [
            CircuitState(process=process, **circuit)
            for process, text in found
            for circuit in orjson.loads(text or "[]")
        ]


def merged(texts: Iterable[str]) -> str:
    """Several expositions as one: the samples of a family stand together, below one heading.

    The labels of each text's samples name its process, so that no two are the same.
    """
    heads: dict[str, list[str]] = {}
    samples: dict[str, list[str]] = {}
    ends = False
    for text in texts:
        family, is_first = "", False
        for line in text.split("\n"):  # splitlines would cut within a label's value
            if line == END:
                ends = True
            elif line.startswith("# HELP "):
                family = line.split(" ", 3)[2]
                is_first = family not in heads
                heads.setdefault(family, [])
                samples.setdefault(family, [])
            if line.startswith("# ") and line != END and is_first:
                heads[family].append(line)
            elif line and not line.startswith("#"):
                samples[family].append(line)
    lines = [line for family in heads for line in (*heads[family], *samples[family])]
    return "\n".join([*lines, *([END] if ends else [])]) + "\n"


def _is_held(descriptor: int) -> bool:
    """Whether its process lives: a lock ends with whoever held it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    return False
