"""`casebook import` as a process of its own that is killed, and then brought to its end."""

import random
import signal
import subprocess
import sys
from pathlib import Path

import psycopg

from contracts.imports import ImportReport
from tests.faults.storm.house import House
from tests.faults.storm.importer import check, encoded
from tests.faults.storm.ledger import Ledger, Row
from tests.support.casebook import LIMIT

ROWS = 1_500
VISITOR = "visitor-"  # how the names of their sources begin


class Visitor:
    """One file, imported by clients that die."""

    def __init__(self, house: House, ledger: Ledger, chance: random.Random, number: int) -> None:
        self._house, self._ledger, self._chance = house, ledger, chance
        self._source = f"{VISITOR}{number}"
        self._rows = {(self._source, f"v-{n}"): Row(f"visit {n}") for n in range(ROWS)}
        self._file = Path(house.base / f"{self._source}.ndjson")
        self._file.write_bytes(encoded(self._rows))
        self._process = self._start()

    def kill(self) -> int:
        """SIGKILL, somewhere in its life; its pid. One that has ended by then counts as killed."""
        try:
            self._process.wait(self._chance.uniform(0.4, 1.6))
        except subprocess.TimeoutExpired:
            self._process.send_signal(signal.SIGKILL)
        self._process.communicate()
        return self._process.pid

    def finish(self) -> None:
        """Resume the import where its id can be found, else send the file again."""
        with psycopg.connect(self._house.postgres.url) as session:
            found = session.execute(
                "select id from imports where source = %s order by id", (self._source,)
            ).fetchall()
        if found and self._chance.random() < 0.5:
            self._process = self._start("--resume", str(found[0][0]))
        else:
            self._process = self._start()
        out, err = self._process.communicate(timeout=LIMIT)
        if self._process.returncode != 0:
            self._ledger.complain(f"import after a kill: {err.decode()}")
            return
        report = ImportReport.model_validate_json(out)
        received = report.counts.created + report.counts.unchanged
        counts = report.counts.model_dump() | {"received": ROWS, "updated": 0, "rejected": 0}
        self._ledger.finish(str(report.id), counts, dict(self._rows))
        check(self._ledger, report, counts)
        if received != ROWS:
            self._ledger.complain(f"import after a kill: {report.counts}")

    def _start(self, *more: str) -> "subprocess.Popen[bytes]":
        command = ("import", str(self._file), "--source", self._source, "--json", "--no-wait")
        return subprocess.Popen(
            [sys.executable, "-m", "cli", *command, *more],
            env=self._house.casebook.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
