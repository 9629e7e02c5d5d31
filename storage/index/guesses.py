"""What one search guesses its misspelt words to mean, for as long as the index can tell."""

from collections.abc import Sequence

from storage.index.forgive import Near
from storage.index.pasted import is_pasted
from storage.index.suspicion import Suspicion

LOST = "misspelt words are not guessed at: a file of the index is damaged"


class Guesses:
    """Words of the index that are spelt like one; once they can't be read none, as `notes` says.

    A search needs no guesses: what is damaged for them alone does not end it. Nothing is guessed
    at in what was pasted, since programs spell well.
    """

    def __init__(self, q: str, near: Near, suspicion: Suspicion) -> None:
        self._pasted = is_pasted(q)
        self._near = near
        self._suspicion = suspicion
        self.notes: list[str] = []

    def near(self, word: str) -> Sequence[str]:
        """The words that are spelt most like `word`."""
        if self._pasted or self.notes:
            return ()
        try:
            return self._near(word)
        except BaseException as error:  # a panic of the engine is no Exception
            if not self._suspicion.explains(error):
                raise
            self.notes.append(LOST)
            return ()
