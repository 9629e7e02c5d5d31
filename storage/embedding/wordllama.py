"""Vectors without a network: those of WordLlama's tokens, whose weights its package brings.

A text is the sum of its tokens' vectors, each times 1 + log(how often it stands there) and times
how rare it is among the entries, which is learned from them. Its first line, an entry's title,
counts as much as all of it.
"""

import io
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from contracts.errors import SemanticOff
from storage.embedding.embedder import Vectors

#: Where the package keeps them. None of its code is run: importing it sets up logging, and a
#: file that it misses is one it downloads.
WEIGHTS = "weights/l2_supercat_256.safetensors"
TOKENIZER = "tokenizers/l2_supercat_tokenizer_config.json"
#: What reads them.
READERS = ("numpy", "safetensors", "tokenizers")
DIGITS = 5


def check() -> None:
    """Raises: SemanticOff where the extra is not installed."""
    _folder()


def learn(texts: Sequence[str]) -> tuple[int, bytes]:
    """How many dimensions there are, and how rare each token is: npz, read without pickle.

    Raises: SemanticOff.
    """
    import numpy as np

    tokens = Tokens()
    held = np.zeros(len(tokens.vectors), np.int64)
    for text in texts:
        held[np.unique(tokens.of(text))] += 1
    # As if there were one more text, of every token: no token is without a weight.
    rarity = np.log((len(texts) + 2) / (held + 1)).astype(np.float16)
    kept = io.BytesIO()
    np.savez_compressed(kept, rarity=rarity)
    return tokens.vectors.shape[1], kept.getvalue()


class Tokens:
    """The package's tokens and their vectors. Raises: SemanticOff."""

    def __init__(self) -> None:
        from safetensors.numpy import load_file
        from tokenizers import Tokenizer

        folder = _folder()
        self._tokenizer: Any = Tokenizer.from_file(str(folder / TOKENIZER))
        self._tokenizer.no_truncation()
        (self.vectors,) = load_file(folder / WEIGHTS).values()

    def of(self, text: str) -> Any:
        """The numbers of a text's tokens, in order."""
        import numpy as np

        # One text at a time: a batch is shared out among threads of its own, which spin.
        found = self._tokenizer.encode(text, add_special_tokens=False).ids
        return np.array(found, np.int64)


class WordLlama:
    """The package's vectors, with what was learned from the entries."""

    name = "wordllama"

    def __init__(self, parameters: bytes) -> None:
        import numpy as np

        self._tokens = Tokens()
        kept = np.load(io.BytesIO(parameters), allow_pickle=False)
        self._rarity = kept["rarity"].astype(np.float32)
        self.dimensions = int(self._tokens.vectors.shape[1])

    def embed(self, texts: Sequence[str]) -> Vectors:
        """A vector for each text; of zeros for one without a token."""
        return [self._one(text).round(DIGITS).tolist() for text in texts]

    def _one(self, text: str) -> Any:
        title, *_ = text.split("\n", 1)
        return _unit(sum(_unit(self._sum(part)) for part in {title, text}))

    def _sum(self, text: str) -> Any:
        import numpy as np

        tokens, counts = np.unique(self._tokens.of(text), return_counts=True)
        weights = (1 + np.log(counts)) * self._rarity[tokens]
        # Not a product of matrices: BLAS would take every core for it, and spin there.
        return (self._tokens.vectors[tokens] * weights[:, np.newaxis]).sum(axis=0)


def _unit(vector: Any) -> Any:
    import numpy as np

    length = np.linalg.norm(vector)
    return vector / length if length else vector


def _folder() -> Path:
    """Where the package lies. Raises: SemanticOff where it, or what reads it, is missing."""
    found = find_spec("wordllama")
    if found is None or not all(map(find_spec, READERS)):
        raise SemanticOff()
    for place in found.submodule_search_locations or ():
        if (Path(place) / WEIGHTS).exists():
            return Path(place)
    raise SemanticOff("The package wordllama that is installed lacks its weights: install 0.2.2.")
