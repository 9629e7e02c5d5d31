"""How many chunks to have in flight: as many as the workers take up at once, and a few more."""

FEWEST, MOST = 2, 32
BEGIN = 4
SPARE = 2, 4  # chunks to have waiting at the workers: below the first it grows, above it shrinks
REMEMBERED = 200  # answers after which the quickest is found anew: what is imported changes


class Window:
    """`size` follows the time that chunks take, as TCP Vegas follows that of packets.

    A chunk that is taken up at once is answered in the quickest time seen. What it takes beyond
    that it has waited, so `size * (1 - quickest / taken)` chunks wait. Every so often the size is
    halved for one round: among fewer chunks the quickest time shows.
    """

    def __init__(self) -> None:
        self.size = BEGIN
        self._quickest = 0.0  # seconds; 0 when unknown
        self._age = 0  # answers since then
        self._round: list[float] = []
        self._back: int | None = None  # the size before it was halved to look

    def answered(self, seconds: float) -> None:
        """A chunk was answered so long after it was sent."""
        self._age += 1
        self._round.append(seconds)
        # A look begins with answers to chunks that were sent before it.
        if len(self._round) >= self.size + (self._back or 0):
            self._judge(sum(self._round) / len(self._round))
            self._round.clear()

    def refused(self) -> None:
        """No answer came, or no more can be taken: half as many are enough for now."""
        self.size = max(FEWEST, self.size // 2)
        self._back = None
        self._round.clear()

    def _judge(self, taken: float) -> None:
        if self._back is not None:
            self._quickest = min(self._round)
            self.size, self._back = self._back, None
            return
        self._quickest = min([self._quickest or taken, *self._round])
        waiting = self.size * (1 - self._quickest / taken) if taken else 0.0
        if waiting < SPARE[0]:
            self.size = min(MOST, self.size + 1)
        elif waiting > SPARE[1]:
            self.size = max(FEWEST, self.size - 1)
        if self._age >= REMEMBERED:
            self._back, self._age = self.size, 0
            self.size = max(FEWEST, self.size // 2)
