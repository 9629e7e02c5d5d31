"""The floor of an import: COPY into our tables beside indexing in Tantivy, and nothing else.

`python -m benchmarks.floor FILE`: a process for each, on rows that are parsed and validated
before the clock starts; the time until both have ended.
"""

import gzip
import multiprocessing
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson
import psycopg

from actors.rows import truncate
from benchmarks.system import MAPPING
from benchmarks.usage import cpu_of
from contracts.base import new_id
from contracts.imports import ImportedEntry
from contracts.position import Position
from deploy.postgres import EmbeddedPostgres
from pipelines.mapping import parse_shape, shaper
from storage.index.follower import BATCH
from storage.index.writer import IndexDocument, IndexWriter
from storage.postgres.digests import digest, text_digest
from storage.postgres.migrations import migrate


def rows(file: Path) -> list[ImportedEntry]:
    """The corpus as entries."""
    shaped, found = shaper(parse_shape(MAPPING)), []
    with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as lines:
        for line in lines:
            data = shaped(orjson.loads(line))
            truncate(data)
            found.append(ImportedEntry.model_validate(data))
    return found


def copy(url: str, entries: list[ImportedEntry], start: Any, used: Any) -> None:
    """COPY into entries and changes, all indexes kept."""
    columns = "id, source, external_id, title, problem, solution, category, severity, tags, custom"
    made = [(new_id(), digest(entry), text_digest(entry), entry) for entry in entries]
    start.wait()
    before = time.process_time()
    with psycopg.connect(url) as session, session.cursor() as cursor:
        more = "digest, text_digest, created_by, updated_by"
        with cursor.copy(f"copy entries ({columns}, {more}) from stdin".encode()) as sink:
            for entry_id, whole, text, e in made:
                body = (e.title, e.problem, e.solution, e.category, e.severity, list(e.tags), "{}")
                sink.write_row((entry_id, "floor", e.external_id, *body, whole, text, "", ""))
        cursor.execute("insert into changes (entry_id, op) select id, 'put' from entries")
    used.value = time.process_time() - before


def index(root: Path, entries: list[ImportedEntry], start: Any, used: Any) -> None:
    """Index as the follower does, commits included."""
    now = datetime.now(UTC)
    documents = [
        IndexDocument(
            str(new_id()), e.title, e.problem, e.solution, e.category, e.severity, e.tags, 1, now
        )
        for e in entries
    ]
    writer = IndexWriter.build_new(root)
    start.wait()
    before = time.process_time()
    for first in range(0, len(documents), BATCH):
        writer.apply(documents[first : first + BATCH], ())
        writer.commit(Position("floor", 1, first))
    writer.close()
    used.value = time.process_time() - before


def measure(file: Path) -> float:
    """Entries/s until both have ended; prints when each did."""
    entries = rows(file)
    with TemporaryDirectory(prefix="benchmark-") as name:
        server = EmbeddedPostgres(Path(name) / "data")
        server.start()
        try:
            migrate(server.url)
            start = multiprocessing.Barrier(3)
            folder = Path(name) / "index"
            used = [multiprocessing.Value("d"), multiprocessing.Value("d")]
            both = {
                "COPY": multiprocessing.Process(
                    target=copy, args=(server.url, entries, start, used[0])
                ),
                "Tantivy": multiprocessing.Process(
                    target=index, args=(folder, entries, start, used[1])
                ),
            }
            for process in both.values():
                process.start()
            assert server.process
            before = cpu_of(server.process.pid)
            start.wait()
            began = time.monotonic()
            for label, process in both.items():
                process.join()
                print(f"{label} ended within {time.monotonic() - began:.1f} s")
            rate = len(entries) / (time.monotonic() - began)
            spent = [one.value for one in used] + [cpu_of(server.process.pid) - before]
            copying, indexing, storing = (one / len(entries) * 1e6 for one in spent)
            print(
                f"  CPU, microseconds an entry: COPY {copying:.0f}, Tantivy {indexing:.0f},", end=""
            )
            print(f" postgres {storing:.0f}; together {copying + indexing + storing:.0f}")
            return rate
        finally:
            server.stop()


if __name__ == "__main__":
    print(f"floor: {measure(Path(sys.argv[1])):,.0f} entries/s")
