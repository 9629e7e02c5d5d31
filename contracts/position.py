"""A place in the change feed, opaque to its holders."""

from typing import NamedTuple


class Position(NamedTuple):
    """`(epoch, txid, seq)`; positions compare only within one epoch.

    The epoch names one history of the database: it changes with the cluster's identifier, its
    timeline, and with a restore. Within it rows are read in `(txid, seq)` order.
    """

    epoch: str
    txid: int
    seq: int

    def __str__(self) -> str:
        return f"{self.epoch}.{self.txid}.{self.seq}"

    @classmethod
    def parse(cls, text: str) -> "Position":
        """Read what `str()` wrote. Raises ValueError for anything else."""
        parts = text.split(".")
        if len(parts) != 3 or not parts[0]:
            raise ValueError(f"not a feed position: {text[:80]!r}")
        return cls(parts[0], int(parts[1]), int(parts[2]))

    def reaches(self, other: "Position") -> bool:
        """Whether whoever stands here has seen `other`; never across epochs."""
        return self.epoch == other.epoch and self[1:] >= other[1:]
