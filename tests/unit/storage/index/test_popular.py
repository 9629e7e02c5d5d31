"""Popular queries by their beginning."""

from storage.index.popular import Popular


def test_the_most_popular_that_go_on_come_first() -> None:
    """By how often they were asked, then by the alphabet; not what is typed in full."""
    popular = Popular([("data set", 5), ("data", 9), ("data base", 5), ("date", 7)])
    assert popular.beginning("data", 9) == ["data base", "data set"]
    assert popular.beginning("dat", 2) == ["data", "date"]
    assert popular.beginning("x", 9) == Popular().beginning("d", 9) == []
