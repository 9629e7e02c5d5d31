"""The engines that ours is compared with: any of the query's words, the best first.

Each gives a ranker for the length of a block. None is tuned beyond what its own documentation
advises: the title counts twice where fields have weights.
"""

import re
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import bm25s
import psycopg
import Stemmer

from benchmarks.judged import Collection, Ranker
from deploy.postgres import EmbeddedPostgres

Peer = Callable[[Collection], AbstractContextManager[Ranker]]
Session = psycopg.Connection[tuple[object, ...]]


@contextmanager
def fts5(collection: Collection) -> Iterator[Ranker]:
    """SQLite in memory, with the Porter stemmer."""
    base = sqlite3.connect(":memory:")
    fill_fts5(base, collection)
    yield partial(fts5_ranked, base)
    base.close()


def fill_fts5(base: sqlite3.Connection, collection: Collection) -> None:
    """All documents in one table."""
    base.execute("create virtual table e using fts5(id unindexed, title, body, tokenize=porter)")
    base.executemany("insert into e values (?, ?, ?)", (row[:3] for row in collection.documents))
    base.commit()


def fts5_ranked(base: sqlite3.Connection, q: str, limit: int) -> list[str]:
    """The ids of the best of what `fill_fts5` put there; the title counts twice."""
    found = "select id from e where e match ? order by bm25(e, 0, 2, 1) limit ?"
    words = " OR ".join(f'"{word}"' for word in re.findall(r"\w+", q))
    return [row[0] for row in base.execute(found, (words, limit))] if words else []


@contextmanager
def python_bm25(collection: Collection) -> Iterator[Ranker]:
    """bm25s with its Lucene scoring, English stop words and Snowball stems."""
    cut = partial(
        bm25s.tokenize, stopwords="en", stemmer=Stemmer.Stemmer("english"), show_progress=False
    )
    ids = [row[0] for row in collection.documents]
    engine = bm25s.BM25(method="lucene")
    engine.index(cut([f"{row[1]} {row[2]}" for row in collection.documents]), show_progress=False)

    def rank(q: str, limit: int) -> list[str]:
        found = engine.retrieve(cut(q), k=limit, show_progress=False)
        return [
            ids[place]
            for place, score in zip(found.documents[0], found.scores[0], strict=True)
            if score > 0
        ]

    yield rank


@contextmanager
def postgres(collection: Collection) -> Iterator[Ranker]:
    """ts_rank_cd over a GIN index, title A and text B, length by its logarithm."""
    with filled_postgres(collection) as url, psycopg.connect(url, autocommit=True) as session:
        yield partial(postgres_ranked, session)


@contextmanager
def filled_postgres(collection: Collection) -> Iterator[str]:
    """A server with all documents; its URL."""
    with TemporaryDirectory(prefix="benchmark-") as name:
        server = EmbeddedPostgres(Path(name) / "data")
        server.start()
        try:
            with psycopg.connect(server.url, autocommit=True) as session:
                _fill(session, collection)
            yield server.url
        finally:
            server.stop()


def _fill(session: Session, collection: Collection) -> None:
    session.execute("create table e (id text, title text, body text)")
    with session.cursor() as cursor, cursor.copy("copy e from stdin") as sink:
        for row in collection.documents:
            sink.write_row([part.replace("\0", " ") for part in row[:3]])
    session.execute(
        "create table s as select id, setweight(to_tsvector('english', title), 'A')"
        " || setweight(to_tsvector('english', body), 'B') as words from e"
    )
    session.execute("create index on s using gin (words)")
    session.execute("vacuum analyze s")


def postgres_ranked(session: Session, q: str, limit: int) -> list[str]:
    """The ids of the best of what `filled_postgres` has."""
    rows = session.execute(
        "select id from s, (select"
        " replace(plainto_tsquery('english', %s)::text, '&', '|')::tsquery as asked) as q"
        " where words @@ asked order by ts_rank_cd(words, asked, 1) desc limit %s",
        (q, limit),
    )
    return [str(row[0]) for row in rows]


def lucene(jar: Path, *fields: str) -> Peer:
    """Lucene's BM25 with the English analyzer, from a jar that holds its classes."""

    @contextmanager
    def run(collection: Collection) -> Iterator[Ranker]:
        with TemporaryDirectory(prefix="benchmark-") as name:
            rows, index = Path(name) / "rows", Path(name) / "index"
            rows.write_text("".join(_line(row[:3]) for row in collection.documents))
            source = Path(__file__).with_name("LucenePeer.java")
            argv = ["java", "-cp", str(jar), str(source), str(rows), str(index), *fields]
            with subprocess.Popen(
                argv,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            ) as process:
                questions, answers = process.stdin, process.stdout
                assert questions is not None
                assert answers is not None
                if answers.readline().strip() != "ready":
                    raise RuntimeError("Lucene did not start: is Java 11 or later on the PATH?")

                def rank(q: str, limit: int) -> list[str]:
                    questions.write(f"{limit}\t{_line((q,))}")
                    questions.flush()
                    return answers.readline().split()

                yield rank
                questions.close()

    return run


def _line(parts: tuple[str, ...]) -> str:
    return "\t".join(" ".join(part.split()) for part in parts) + "\n"
