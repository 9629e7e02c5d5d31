"""Latent semantic analysis (Deerwester et al., 1990): meaning from which words stand together.

Learned from the entries, offline, without weights from elsewhere: words that stand in the same
entries get like vectors. A text's vector is the sum of its words' (tf-idf), of length 1.
"""

import io
import json
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

from contracts.errors import SemanticOff, TooLittleText
from storage.embedding.embedder import Vectors
from storage.index.text import confined, speak, stems, tells

WORDS_MAX = 20_000  # words with a vector: those in the most texts
SHARED = 2  # texts that a word must stand in
SEED = 1  # the same texts make the same model
DIGITS = 5


def check() -> None:
    """Raises: SemanticOff where the extra is not installed."""
    if find_spec("sklearn") is None:
        raise SemanticOff()


@confined
def learn(texts: Sequence[str], dimensions: int, language: str) -> tuple[int, bytes]:
    """How many dimensions it came to, and the model: npz, read without pickle.

    Raises: TooLittleText.
    """
    speak(language)
    import numpy as np
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer

    _on_one_thread()
    reader = TfidfVectorizer(
        analyzer=_words, min_df=SHARED, max_features=WORDS_MAX, sublinear_tf=True, dtype=np.float32
    )
    try:
        counted = reader.fit_transform(texts)
    except ValueError:  # no word at all, or none that two texts share
        raise TooLittleText() from None
    size = min(dimensions, min(counted.shape) - 1)
    if size < 1:
        raise TooLittleText()
    found = TruncatedSVD(size, random_state=SEED).fit(counted)
    words = sorted(reader.vocabulary_, key=reader.vocabulary_.__getitem__)
    kept = io.BytesIO()
    np.savez_compressed(
        kept,
        language=np.array(language),
        words=np.frombuffer(json.dumps(words).encode(), np.uint8),
        idf=reader.idf_.astype(np.float32),
        meaning=found.components_.astype(np.float16),
    )
    return size, kept.getvalue()


class Latent:
    """What was learned, loaded."""

    name = "lsa"

    def __init__(self, parameters: bytes) -> None:
        import numpy as np
        from sklearn.feature_extraction.text import TfidfVectorizer

        _on_one_thread()
        kept = np.load(io.BytesIO(parameters), allow_pickle=False)
        words = json.loads(kept["words"].tobytes())
        self._reader: Any = TfidfVectorizer(
            analyzer=_words, vocabulary=words, sublinear_tf=True, dtype=np.float32
        )
        self._reader.idf_ = kept["idf"]
        self._meaning = kept["meaning"].astype(np.float32).T
        self._language = str(kept["language"])
        self.dimensions = int(self._meaning.shape[1])

    @confined
    def embed(self, texts: Sequence[str]) -> Vectors:
        """A vector for each text; of zeros for one without a known word."""
        import numpy as np

        speak(self._language)
        found = self._reader.transform(texts) @ self._meaning
        lengths = np.linalg.norm(found, axis=1, keepdims=True)
        vectors: Vectors = (found / np.where(lengths > 0, lengths, 1)).round(DIGITS).tolist()
        return vectors


def _on_one_thread() -> None:
    """From here on what is loaded by now calculates on the thread that asks for it.

    A BLAS has a thread for each core, and they spin while they wait for each other. Beside other
    work, in a process that yields the CPU to it, learning took 2 to 10 times as much of it.
    """
    from threadpoolctl import threadpool_limits

    threadpool_limits(1, user_api="blas")


def _words(text: str) -> list[str]:
    return [word for word in stems(text).split() if tells(word)]
