"""A small file that names its own checksum."""

import contextlib

import orjson

from storage.index.seal import seal, unseal


def test_every_bit_counts() -> None:
    """Whichever turns over, it is noticed, or what was written is still there."""
    kept = {"a.term": [77, 123456], "a.store": [5, 9]}
    written = seal(orjson.dumps(kept))
    assert orjson.loads(unseal(written)) == kept
    for place in range(len(written)):
        for bit in range(8):
            flipped = bytes([written[place] ^ 1 << bit])
            with contextlib.suppress(ValueError):
                found = orjson.loads(unseal(written[:place] + flipped + written[place + 1 :]))
                assert kept.items() <= found.items()


def test_what_has_no_seal_is_taken_as_it_is() -> None:
    """It is of a release before."""
    assert unseal(b'{"a":1}') == b'{"a":1}'
