"""A thread that imports and writes through the pipelines, as `casebook import` does."""

import asyncio
import io
import random
import threading
import time
from typing import Any

import orjson

from actors import entries
from actors.broker.client import Client
from actors.queues import producer_broker
from contracts.entries import CreateEntry, EntryFields, EntryStored
from contracts.errors import NoReply, QueueFull, QueueUnavailable, Unavailable
from contracts.imports import ImportReport
from pipelines.ask import ask_for
from pipelines.formats.rows import Reading
from pipelines.importing import Plan, import_streams
from tests.faults.storm.gate import Gate
from tests.faults.storm.ledger import Kept, Ledger, Row

ROWS = 60, 260  # fewest and most rows of an import
PADDING = "x" * 1_500  # characters: a few rows make a chunk, so that an import has several
REPLY = 3.0  # seconds
BAD = b'{"external_id": "bad", "title": "no"}\n'


class Importer(threading.Thread):
    """Its ids are its own, so that it knows what each import has to come to."""

    def __init__(self, redis_url: str, node: str, ledger: Ledger, gate: Gate, seed: int) -> None:
        super().__init__(name="imports", daemon=True)
        self._place = (redis_url, node)
        self._ledger = ledger
        self._gate = gate
        self._chance = random.Random(f"{seed} imports")
        self._number = 0

    def run(self) -> None:
        asyncio.run(self._work())

    async def _work(self) -> None:
        async with Client(producer_broker(*self._place), patient=True) as client:
            while await asyncio.to_thread(self._gate.enter):
                try:
                    draw = self._chance.random()
                    one = self._import if draw < 0.3 else self._create if draw < 0.6 else self._send
                    await one(client)
                except Exception as error:
                    self._ledger.complain(f"imports: {type(error).__name__}: {error}")
                finally:
                    self._gate.leave()
                await asyncio.sleep(self._chance.uniform(0, 0.1))

    async def _create(self, client: Client) -> None:
        self._number += 1
        key, title = f"pipeline-{self._number}", f"piped storm {self._number}"
        command = CreateEntry(entry=EntryFields(title=title), key=key, by="storm")
        give_up = time.monotonic() + 120
        while True:
            try:
                stored = await ask_for(EntryStored, client, entries.create, command, timeout=REPLY)
                break
            except (Unavailable, NoReply) as error:
                self._ledger.count(f"pipeline {error.code}")
                if time.monotonic() > give_up:
                    raise
                await asyncio.sleep(0.05)
        self._ledger.keep(Kept(str(stored.entry.id), title), key)

    async def _send(self, client: Client) -> None:
        """Some creations that only the queue acknowledges, and nobody asks for again."""
        for _ in range(self._chance.randint(1, 20)):
            self._number += 1
            key, title = f"sent-{self._number}", f"sent storm {self._number}"
            command = CreateEntry(entry=EntryFields(title=title), key=key, by="storm")
            try:
                await client.send(entries.create.message(command))
            except QueueFull:
                self._ledger.refuse(title)
            except QueueUnavailable:
                self._ledger.promise(title, surely=False)
            else:
                self._ledger.promise(title)

    async def _import(self, client: Client) -> None:
        source, rows, bad = "storm", dict[Any, Row](), self._chance.randrange(3)
        counts = {"created": 0, "updated": 0, "unchanged": 0, "rejected": bad}
        for number in self._numbers():
            name = (source, f"id-{number}")
            old = self._ledger.rows.get(name)
            if old is None:
                rows[name] = Row(f"text of {number}")
                counts["created"] += 1
            elif self._chance.random() < 0.5:
                rows[name] = Row(f"text {old.version + 1} of {number}", old.version + 1)
                counts["updated"] += 1
            else:
                rows[name] = old
                counts["unchanged"] += 1
        counts["received"] = len(rows) + bad
        stream = io.BytesIO(encoded(rows) + BAD * bad)
        report = await import_streams(
            client, [("s", stream)], Plan(source, Reading("ndjson")), _unseen
        )
        self._ledger.finish(str(report.id), counts, rows)
        check(self._ledger, report, counts)

    def _numbers(self) -> range:
        """Consecutive ids, about a quarter of them known already."""
        count = self._chance.randint(*ROWS)
        first = max(0, len(self._ledger.rows) - self._chance.randrange(count // 2))
        return range(first, first + count)


def encoded(rows: dict[tuple[str, str], Row]) -> bytes:
    """The rows as NDJSON, as the oracle will look for them."""
    lines = [
        {"external_id": name, "title": f"row {name}", "problem": row.text, "solution": PADDING}
        for (_, name), row in rows.items()
    ]
    return b"".join(orjson.dumps(line) + b"\n" for line in lines)


def check(ledger: Ledger, report: ImportReport, counts: dict[str, int]) -> None:
    """The report is of a finished import and says what was in the file."""
    if report.status != "finished" or report.counts.model_dump() != counts:
        ledger.complain(f"import {report.id}: {report.status} {report.counts}, not {counts}")


def _unseen(counts: object) -> None:
    """Nobody watches."""
