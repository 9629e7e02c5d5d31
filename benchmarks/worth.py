"""What a ranking of a judged collection is worth."""

import time
from typing import NamedTuple

import ir_measures
from ir_measures import R, nDCG

from benchmarks.judged import Collection, Ranker

NDCG, RECALL = nDCG @ 10, R @ 100


class Worth(NamedTuple):
    """Quality between 0 and 1, and times of searches of 10 hits in seconds, in order."""

    ndcg: float
    recall: float
    times: list[float]

    def percentile(self, part: float) -> float:
        """The time that this part of the searches does not exceed."""
        return self.times[int(len(self.times) * part)]


def measure(collection: Collection, rank: Ranker) -> Worth:
    """Ask every query for 100 hits, which also warms up, and then for 10 with a clock."""
    run = {}
    for key, text in collection.queries.items():
        found = rank(text, 100)
        run[key] = {document: float(-place) for place, document in enumerate(found)}
    scores = ir_measures.calc_aggregate([NDCG, RECALL], collection.judgements, run)
    times = []
    for text in collection.queries.values():
        begun = time.perf_counter()
        rank(text, 10)
        times.append(time.perf_counter() - begun)
    return Worth(scores[NDCG], scores[RECALL], sorted(times))
