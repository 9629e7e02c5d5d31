"""Vectors from an HTTP endpoint that speaks OpenAI's protocol: `POST URL/embeddings`."""

import http.client
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import orjson

from contracts.errors import EmbeddingRefused, EmbeddingUnavailable
from storage.breaker import Breaker
from storage.embedding.embedder import Vectors

BATCH = 64  # texts a request
ANSWER_MAX = 64 * 1024 * 1024  # bytes
SAID_MAX = 200  # characters of a refusal that are told
#: Numbers that pgvector can keep: of 32 bits. What is nearer to zero is zero there.
HUGE, TINY = 3.4e38, 1.2e-38
_LATER = {408, 425, 429}


class Endpoint:
    """One model there. `dimensions` of 0: whatever it answers with."""

    def __init__(
        self, url: str, model: str, key: str, dimensions: int, timeout: float, breaker: Breaker
    ) -> None:
        self.name = f"openai {model}"
        self.dimensions = dimensions
        self._place = urlsplit(url.rstrip("/") + "/embeddings")
        self._model = model
        self._key = key
        self._timeout = timeout
        self._breaker = breaker

    def embed(self, texts: Sequence[str]) -> Vectors:
        """A vector for each text. Raises: EmbeddingUnavailable, EmbeddingRefused."""
        found: Vectors = []
        for start in range(0, len(texts), BATCH):
            found += self._batch([text or " " for text in texts[start : start + BATCH]])
        return found

    def _batch(self, texts: list[str]) -> Vectors:
        answer = self._post({"model": self._model, "input": texts, "encoding_format": "float"})
        vectors = _vectors(answer)
        sizes = sorted({len(vector) for vector in vectors})
        wanted = [self.dimensions] if self.dimensions else [size for size in sizes[:1] if size]
        if len(vectors) != len(texts) or sizes != wanted:
            raise EmbeddingRefused(
                f"The embedding endpoint answered {len(vectors)} vectors of {sizes} dimensions "
                f"for {len(texts)} texts. Another model? `casebook semantic enable`."
            )
        if not any(abs(one) >= TINY for vector in vectors for one in vector):
            raise EmbeddingRefused("The embedding endpoint answered with vectors of zeros alone.")
        return vectors

    def _post(self, body: dict[str, Any]) -> bytes:
        with self._breaker.attempt(EmbeddingUnavailable):
            status, answer = self._sent(body)
            if status >= 500 or status in _LATER:
                raise EmbeddingUnavailable(reason=f"it answered {status}")
        if status != 200:
            said = answer.decode("utf-8", "replace")[:SAID_MAX]
            raise EmbeddingRefused(answered=status, said=said)
        return answer

    def _sent(self, body: dict[str, Any]) -> tuple[int, bytes]:
        headers = {"Content-Type": "application/json", "User-Agent": "casebook"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        https = self._place.scheme == "https"
        kind = http.client.HTTPSConnection if https else http.client.HTTPConnection
        connection = kind(
            self._place.hostname or "", self._place.port or None, timeout=self._timeout
        )
        path = self._place.path + (f"?{self._place.query}" if self._place.query else "")
        try:
            connection.request("POST", path, orjson.dumps(body), headers)
            response = connection.getresponse()
            return response.status, response.read(ANSWER_MAX)
        except (OSError, http.client.HTTPException) as error:
            raise EmbeddingUnavailable(reason=str(error) or type(error).__name__) from error
        finally:
            connection.close()


def _vectors(answer: bytes) -> Vectors:
    """What an answer holds, in the order of the texts. Raises: EmbeddingRefused."""
    try:
        rows = sorted(orjson.loads(answer)["data"], key=lambda row: row["index"])
        return [list(map(_number, row["embedding"])) for row in rows]
    except (ValueError, KeyError, TypeError):
        raise EmbeddingRefused("The embedding endpoint's answer holds no vectors.") from None


def _number(value: object) -> float:
    """Raises: ValueError for what is none, or too large."""
    if not isinstance(value, int | float) or not abs(value) <= HUGE:
        raise ValueError
    return float(value)
