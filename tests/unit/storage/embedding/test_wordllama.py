"""Vectors of the package's tokens, weighed by what the entries hold."""

import subprocess
import sys
from collections.abc import Sequence

import pytest

from contracts.errors import SemanticOff
from storage.embedding import wordllama

TEXTS = ("the disk is full", "a full disk", "the password is wrong", "wrong password")


def likeness(one: Sequence[float], other: Sequence[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


def learned(texts: Sequence[str]) -> wordllama.WordLlama:
    size, kept = wordllama.learn(texts)
    model = wordllama.WordLlama(kept)
    assert model.dimensions == size == 256
    return model


def test_the_same_texts_make_the_same_model() -> None:
    """Byte for byte, so that learning twice is learning once; each vector has length 1."""
    assert wordllama.learn(TEXTS) == wordllama.learn(TEXTS)
    model = learned(TEXTS)
    for vector in model.embed(TEXTS):
        assert likeness(vector, vector) == pytest.approx(1, abs=1e-3)
    assert model.embed([""]) == [[0] * 256]


@pytest.mark.parametrize("texts", [(), ("one",), TEXTS])
def test_what_means_the_same_is_near(texts: Sequence[str]) -> None:
    """Words that no text holds, and however little there was to learn from."""
    full, other, asked = learned(texts).embed(
        ["the disk is full", "wrong password", "no storage space left"]
    )
    assert likeness(asked, full) > likeness(asked, other) + 0.1


def test_what_stands_everywhere_tells_little() -> None:
    """A word in all entries is no reason to find one of them."""
    texts = [f"production: {what}" for what in ("disk full", "login refused", "queue stuck")]
    vectors = {True: learned(texts), False: learned(())}
    told = {}
    for knows, model in vectors.items():
        one, two = model.embed(texts[:2])
        told[knows] = likeness(one, two)
    assert told[True] < told[False] - 0.05


def test_the_first_line_counts_as_much_as_all_of_it() -> None:
    """The title says what an entry is about; a long text about much else does not hide it."""
    model, rest = learned(TEXTS), "\n" + "restart the server, then look at its log. " * 20
    one_line, titled, asked = model.embed(
        ["disk full" + rest.replace("\n", " "), "disk full" + rest, "disk full"]
    )
    assert likeness(asked, titled) > likeness(asked, one_line) + 0.1


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The extra, or the weights in its package."""
    wordllama.check()
    monkeypatch.setattr(wordllama, "WEIGHTS", "weights/none")
    with pytest.raises(SemanticOff, match="weights"):
        wordllama.check()
    monkeypatch.setattr(wordllama, "find_spec", lambda name: None if name == "tokenizers" else name)
    with pytest.raises(SemanticOff, match=r"casebook\[semantic\]"):
        wordllama.check()


def test_nobody_imports_the_extra_who_does_not_ask_for_it() -> None:
    """Neither it nor numpy is loaded by what workers, the shim and the commands import."""
    program = (
        "import actors.worker, shim.app, cli, sys;"
        "print({'wordllama', 'tokenizers', 'numpy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "set()", done.stderr
