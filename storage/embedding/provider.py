"""Who makes vectors of texts, as a worker's root has set it up."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from contracts.errors import EmbeddingRefused, EmbeddingUnavailable, SemanticOff
from storage.breaker import Breakers
from storage.embedding.embedder import Embedder

DIMENSIONS_MAX = 2_000  # what an index of pgvector holds
#: What a place by meaning counts beside the same place by words. What is learned from the entries
#: knows less of them than their words do: it adds what words did not find, below what they found.
WEIGHTS = {"lsa": 0.01, "openai": 1.0}


@dataclass(frozen=True)
class Embedding:
    """Which provider there is and how it is reached; a resource made from the settings."""

    provider: Literal["lsa", "openai"] = "lsa"
    url: str = ""
    model: str = ""
    key: str = field(default="", repr=False)
    dimensions: int = 256
    timeout: float = 5.0
    #: Whose stems and stop words what is learned here has.
    language: str = "english"
    breakers: Breakers = field(default_factory=Breakers, repr=False, compare=False)

    @property
    def name(self) -> str:
        """What its embedders are called."""
        return self.provider if self.provider == "lsa" else f"openai {self.model}"

    @property
    def weight(self) -> float:
        """What a place by its meaning counts beside the same place by words, which counts 1."""
        return WEIGHTS[self.provider]

    def check(self) -> None:
        """Raises: SemanticOff, saying what is to be installed or set."""
        if self.provider == "lsa":
            from storage.embedding import lsa

            lsa.check()
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

        Raises: TooLittleText, SemanticOff, EmbeddingUnavailable, EmbeddingRefused.
        """
        self.check()
        if self.provider == "lsa":
            from storage.embedding import lsa

            return lsa.learn(texts, self.dimensions, self.language)
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
        if self.provider == "lsa":
            from storage.embedding import lsa

            return lsa.Latent(parameters)
        return self._endpoint(dimensions)

    def _endpoint(self, dimensions: int) -> Embedder:
        from storage.embedding.endpoint import Endpoint

        breaker = self.breakers.of("embedding", EmbeddingUnavailable)
        return Endpoint(self.url, self.model, self.key, dimensions, self.timeout, breaker)
