"""How many letters two words differ in, as the engine counts them."""


def near(one: str, other: str, distance: int) -> bool:
    """Whether at most `distance` letters are missing, added, different or swapped with the next.

    The distance of Damerau and Levenshtein in its restricted form (optimal string alignment).
    """
    if abs(len(one) - len(other)) > distance:
        return False
    at = 0
    while at < len(one) and at < len(other) and one[at] == other[at]:
        at += 1
    one, other = one[at:], other[at:]
    if not distance:
        return one == other
    if max(len(one), len(other)) <= distance:
        return True
    left = distance - 1
    swapped = len(one) > 1 and one[:2] == other[1::-1] and near(one[2:], other[2:], left)
    return (
        swapped
        or near(one[1:], other[1:], left)
        or near(one[1:], other, left)
        or near(one, other[1:], left)
    )
