"""How many letters two words differ in, as the engine counts them."""

from rapidfuzz.distance import OSA


def near(one: str, other: str, distance: int) -> bool:
    """Whether at most `distance` letters are missing, added, different or swapped with the next.

    The distance of Damerau and Levenshtein in its restricted form (optimal string alignment).
    """
    return OSA.distance(one, other, score_cutoff=distance) <= distance
