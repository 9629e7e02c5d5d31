"""A request's body as a file, for readers that block."""

import asyncio
import io
from collections import deque

MOST = 4 * 1024 * 1024  # bytes unread before the sender is slowed to the reader's pace


class FedStream(io.RawIOBase):
    """Fed by the event loop that made it, read by a thread."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._pieces: deque[bytes] = deque()
        self._size = 0
        self._ended = False
        self._error: Exception | None = None
        self._changed = asyncio.Condition()

    async def feed(self, piece: bytes) -> None:
        """Add bytes, waiting while too many are unread."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._size < MOST or self.closed)
            if piece and not self.closed:
                self._pieces.append(piece)
                self._size += len(piece)
                self._changed.notify_all()

    async def end(self, *, error: Exception | None = None) -> None:
        """Say that nothing more comes, or why."""
        async with self._changed:
            self._ended, self._error = True, error
            self._changed.notify_all()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "memoryview") -> int:  # type: ignore[override]  # any writable buffer
        piece = asyncio.run_coroutine_threadsafe(self._take(len(buffer)), self._loop).result()
        buffer[: len(piece)] = piece
        return len(piece)

    async def _take(self, most: int) -> bytes:
        async with self._changed:
            await self._changed.wait_for(lambda: self._pieces or self._ended or self.closed)
            if not self._pieces:
                if self._error is not None:
                    raise self._error
                return b""
            piece = self._pieces.popleft()
            if len(piece) > most:
                self._pieces.appendleft(piece[most:])
                piece = piece[:most]
            self._size -= len(piece)
            self._changed.notify_all()
            return piece
