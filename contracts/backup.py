"""What a backup says about itself: a file crosses processes, machines and releases."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from contracts.base import Contract


class BackupTable(Contract):
    """One table: its rows are the archive's member NAME.copy, in PostgreSQL's COPY text format."""

    name: str
    columns: tuple[str, ...]
    rows: int


class BackupPartition(Contract):
    """A part of a table, whose rows are among the table's; `bound` as PostgreSQL writes it."""

    name: str
    parent: str
    bound: str


class Manifest(Contract):
    """The first thing that a restore reads; `tables` are in an order that foreign keys allow."""

    format: Literal[1] = 1
    made_at: datetime
    release: str
    server: str
    migrations: tuple[int, ...]
    tables: tuple[BackupTable, ...]
    partitions: tuple[BackupPartition, ...] = ()
    sequences: dict[str, int] = Field(default_factory=dict)

    @property
    def rows(self) -> int:
        """Of all tables."""
        return sum(table.rows for table in self.tables)
