"""Who makes vectors of texts, as a worker's root has set it up."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from contracts.errors import EmbeddingRefused, EmbeddingUnavailable, SemanticOff
from storage.breaker import Breakers
from storage.embedding.embedder import Embedder

DIMENSIONS_MAX = 2_000  # what an index of pgvector holds
#: What a place by meaning counts beside the same place by words. Tokens without their context know
#: less of entries than their words do. An endpoint's model is taken for an equal.
WEIGHTS = {"wordllama": 0.2, "openai": 1.0}


@dataclass(frozen=True)
class Embedding:
    """Which provider there is and how it is reached; a resource made from the settings."""

    provider: Literal["wordllama", "openai"] = "wordllama"
    url: str = ""
    model: str = ""
    key: str = field(default="", repr=False)
    timeout: float = 5.0
    breakers: Breakers = field(default_factory=Breakers, repr=False, compare=False)

    @property
    def name(self) -> str:
        """What its embedders are called."""
        return f"openai {self.model}" if self.provider == "openai" else self.provider

    @property
    def weight(self) -> float:
        """What a place by its meaning counts beside the same place by words, which counts 1."""
        return WEIGHTS[self.provider]

    def check(self) -> None:
        """Raises: SemanticOff, saying what is to be installed or set."""
        if self.provider == "wordllama":
            from storage.embedding import wordllama

            wordllama.check()
        elif not (self.url and self.model):
            raise SemanticOff(
                "Set CASEBOOK_EMBEDDING_URL and CASEBOOK_EMBEDDING_MODEL for the workers, "
                "then `casebook semantic enable`."
            )

    def probe(self) -> None:
        """Ask an endpoint for a vector, and pass over it when it is away: it may come back.

        Raises: SemanticOff, EmbeddingRefused, saying what is to be changed.
        """
        self.check()
        if self.provider == "openai":
            with contextlib.suppress(EmbeddingUnavailable):
                self.learn(())

    def learn(self, texts: Sequence[str]) -> tuple[int, bytes]:
        """How many dimensions its vectors have, and what an embedder is loaded from.

        Raises: SemanticOff, EmbeddingUnavailable, EmbeddingRefused.
        """
        self.check()
        if self.provider == "wordllama":
            from storage.embedding import wordllama

            return wordllama.learn(texts)
        size = len(self._endpoint(0).embed(["casebook"])[0])
        if size > DIMENSIONS_MAX:
            raise EmbeddingRefused(
                f"{self.model} makes vectors of {size:,} dimensions, and pgvector indexes at most "
                f"{DIMENSIONS_MAX:,}: choose another model."
            )
        return size, b""

    def load(self, dimensions: int, parameters: bytes) -> Embedder:
        """The embedder that `learn` made. Raises: SemanticOff."""
        self.check()
        if self.provider == "wordllama":
            from storage.embedding import wordllama

            return wordllama.WordLlama(parameters)
        return self._endpoint(dimensions)

    def _endpoint(self, dimensions: int) -> Embedder:
        from storage.embedding.endpoint import Endpoint

        breaker = self.breakers.of("embedding", EmbeddingUnavailable)
        return Endpoint(self.url, self.model, self.key, dimensions, self.timeout, breaker)
