"""What makes vectors of texts, whoever provides it."""

from collections.abc import Sequence
from typing import Protocol, TypeAlias

#: One vector a text, all equally long.
Vectors: TypeAlias = list[list[float]]


class Embedder(Protocol):
    """Makes vectors."""

    #: What made them: vectors of two names can't be compared.
    name: str
    dimensions: int

    def embed(self, texts: Sequence[str]) -> Vectors:
        """A vector for each text; of zeros for one that says nothing.

        Raises: EmbeddingUnavailable, EmbeddingRefused.
        """
