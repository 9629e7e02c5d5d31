"""The same rows by other ways: SQLite FTS5 row by row, and a plain psycopg and tantivy script.

Neither validates, keeps versions, or feeds anybody.
"""

import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import psycopg
import tantivy

BATCH = 1_000  # rows an executemany, and documents between commits times 5


def source(file: Path) -> Iterator[dict[str, Any]]:
    """The rows as their file has them."""
    with file.open("rb") as lines:
        for line in lines:
            yield orjson.loads(line)


def fts5(file: Path, folder: Path) -> float:
    """Seconds until SQLite has every row in a table and in FTS5, one statement a row."""
    began = time.monotonic()
    base = sqlite3.connect(folder / "fts5.db", isolation_level=None)
    base.execute("pragma journal_mode = wal")
    base.execute("pragma synchronous = normal")  # no fsync a row: faster, and keeps less than we do
    base.execute("create table entry (id text primary key, title, body, category, tags)")
    base.execute("create virtual table words using fts5(title, body, tags, tokenize=porter)")
    for row in source(file):
        about = row.get("metadata", {})
        tags = " ".join(about.get("tags", ()))
        base.execute("begin")
        done = base.execute(
            "insert into entry values (?, ?, ?, ?, ?)",
            (row["_id"], row["title"], row["text"], about.get("category"), tags),
        )
        base.execute(
            "insert into words (rowid, title, body, tags) values (?, ?, ?, ?)",
            (done.lastrowid, row["title"], row["text"], tags),
        )
        base.execute("commit")
    base.close()
    return time.monotonic() - began


def script(file: Path, folder: Path, url: str) -> float:
    """Seconds of executemany into a table with an index or two, and the same rows to tantivy."""
    began = time.monotonic()
    builder = tantivy.SchemaBuilder().add_text_field("id", stored=True, tokenizer_name="raw")
    for name in ("title", "body", "tags"):
        builder = builder.add_text_field(name, tokenizer_name="en_stem", stored=True)
    (folder / "script").mkdir()
    writer = tantivy.Index(builder.build(), path=str(folder / "script")).writer()
    insert = "insert into plain values (%s, %s, %s, %s, %s)"
    with psycopg.connect(url) as session, session.cursor() as cursor:
        cursor.execute(
            "create table plain (id text primary key, title text, body text, category text,"
            " tags text[]); create index on plain (category)"
        )
        batch: list[tuple[Any, ...]] = []
        for number, row in enumerate(source(file), 1):
            about = row.get("metadata", {})
            tags = list(about.get("tags", ()))
            batch.append((row["_id"], row["title"], row["text"], about.get("category"), tags))
            document = tantivy.Document(
                id=row["_id"], title=row["title"], body=row["text"], tags=" ".join(tags)
            )
            writer.add_document(document)
            if number % BATCH == 0:
                cursor.executemany(insert, batch)
                session.commit()
                batch.clear()
            if number % (5 * BATCH) == 0:
                writer.commit()
        cursor.executemany(insert, batch)
    writer.commit()
    writer.wait_merging_threads()
    return time.monotonic() - began
