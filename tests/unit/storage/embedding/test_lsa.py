"""What is learned from texts, kept and loaded again."""

import subprocess
import sys

import pytest
from threadpoolctl import threadpool_info

from contracts.errors import TooLittleText
from storage.embedding import lsa

TEXTS = ("the disk is full", "a full disk", "wrong password", "the password is wrong")


def test_the_same_texts_make_the_same_model() -> None:
    """Byte for byte, so that learning twice is learning once; each vector has length 1."""
    size, kept = lsa.learn(TEXTS, 2, "english")
    assert (size, kept) == lsa.learn(TEXTS, 2, "english")
    latent = lsa.Latent(kept)
    assert latent.dimensions == 2
    for vector in latent.embed(TEXTS):
        assert sum(one * one for one in vector) == pytest.approx(1, abs=1e-3)
    assert latent.embed(["unheard of", ""]) == [[0, 0], [0, 0]]


def test_a_model_keeps_its_language() -> None:
    """Whatever is spoken where it is loaded: `la` is no word of a Spanish model."""
    _, kept = lsa.learn(("la mesa rota", "la mesa", "rota la silla", "silla"), 2, "spanish")
    assert lsa.Latent(kept).embed(["la"]) == [[0, 0]]


@pytest.mark.parametrize("texts", [(), ("one",), ("one", "two"), ("the", "the")])
def test_too_little_to_learn_from(texts: tuple[str, ...]) -> None:
    """Said as such: not a word that two of them share."""
    with pytest.raises(TooLittleText):
        lsa.learn(texts, 2, "english")


def test_nobody_imports_the_extra_who_does_not_ask_for_it() -> None:
    """Neither it nor numpy is loaded by what workers, the shim and the commands import."""
    program = (
        "import actors.worker, shim.app, cli, sys; print({'sklearn', 'numpy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "set()", done.stderr


def test_it_calculates_on_one_thread() -> None:
    """A BLAS would take every core, and spin there while searches want them."""
    lsa.learn(TEXTS, 2, "english")
    found = [one for one in threadpool_info() if one["user_api"] == "blas"]
    assert found
    assert {one["num_threads"] for one in found} == {1}
