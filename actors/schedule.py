"""What the system asks of itself, and how often."""

from actors.broker.ticker import Periodic

#: A row's name is for good: its last tick is kept under it.
SCHEDULE: tuple[Periodic, ...] = ()
