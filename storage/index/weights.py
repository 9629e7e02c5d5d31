"""Every weight of the ranking. docs/search.md says how they work together.

A score is made of points: a word's points are its BM25 score in the field `text`, about as many
as the natural logarithm of how rare the word is. Weights are round on purpose: they were chosen
where neighbouring values do as well, on several collections, and are fitted to none.
"""

import math
from dataclasses import dataclass

#: How often each field's words are counted in the one field `text` that is scored. One field is
#: faster than four, and ranks better: a word in the title counts for more, yet a document is not
#: rewarded four times over for holding one word in four places. Further counts of a word add less
#: and less to the score: these make about 1.8 : 1.4 : 1 : 1 of it.
TITLE_WEIGHT, PROBLEM_WEIGHT, SOLUTION_WEIGHT, TAGS_WEIGHT = 6, 2, 1, 1

#: Times as many points at most: a word repeated in the query counts so often.
COUNT_MAX = 5
#: Part of a word's points that an entry gets for holding it as written (`locked`, not `locks`).
WRITTEN = 0.25
#: Part of the points of two words that an entry gets for holding them side by side, as the query
#: does: the sequential dependence model's ordered pairs (Metzler and Croft, 2005).
SIDE_BY_SIDE = 0.1
#: Part of a word's points for a word that was not written so: spelt alike, meaning the same.
ALIKE_WEIGHT, SYNONYM_WEIGHT = 0.7, 0.8
#: Points of a wildcard, a beginning or a fuzzy word, which the engine does not score; and once more
#: of a wildcard that a word of the title fits.
PATTERN_SCORE = 1.0
#: Above what one word can score, with all of the above: BM25 gives (k1 + 1) times the logarithm
#: of the number of entries at most.
WORD_SCORE_MAX = (2.2 + WRITTEN + 2 * 2.2 * SIDE_BY_SIDE) * 24

#: A code anywhere, in the title, and at the beginning of the title; these add up.
CODE_WEIGHTS = {"codes": 1, "title_codes": 2, "first_codes": 1}
#: A code that few entries hold tells more than one that many do (STEP010, IEF450I): its points
#: are 1 + CODE_RARITY times as many when one entry holds it, and 1 + CODE_RARITY / 2 for ten.
CODE_RARITY = 3.0
#: Part of its rarity that the id of a message has beside other codes, which it only carries, and
#: a second reading of a number: `SQLCODE 204` is -204, and only then +204.
CARRIER_LESS, OTHER_READING_LESS = 0.5, 0.0
#: A pinned entry: above what all codes of a query can score together; exact in 32 bits.
PIN_SCORE = 2.0**40
#: Beside codes, whose points are many, boosts are parts of at most so many points: of those of
#: one telling word, so that they order entries with the same codes and no others.
BESIDE_CODES = 10.0


@dataclass(frozen=True, slots=True)
class Profile:
    """How much of an entry's score the boosts add at most, as parts of it: 0.5 makes 10 to 15."""

    #: The title is what was asked for: part of its words asked for, times part of what was asked
    #: for that is in it.
    title: float = 0.5
    #: It was used: the logarithm of how often, 1 from USED_OFTEN on.
    usage: float = 0.1
    #: It helped: the part of reported uses that were successes, from 0.5 for none.
    success: float = 0.1
    #: It changed lately: 1 now, half of it after HALF_LIFE.
    recency: float = 0.05


#: Reciprocal rank fusion (Cormack, Clarke and Buettcher, 2009): a list gives the entry at place n
#: 1 / (FUSION + n). Theirs was 60, which tells the first hits of a list little from its tenth; ours
#: is for two lists of which one knows more (decision 0017).
FUSION = 5

USED_OFTEN = 1_000  # times
HALF_LIFE = 180.0  # days

#: By name, as a search asks for them.
PROFILES = {
    "default": Profile(),
    #: What changed lately first, among what fits about as well.
    "fresh": Profile(recency=1.0),
    #: What was used and helped first.
    "proven": Profile(usage=0.5, success=0.5),
    #: Nothing but the text.
    "text": Profile(usage=0.0, success=0.0, recency=0.0),
}
BOOSTS_MAX = 1 + 0.5 + 0.5 + 0.5 + 1.0  # times a score; above what any profile makes of it


def code_rarity(entries: int) -> float:
    """How much more a code tells that so many entries hold: CODE_RARITY / (1 + log10(entries))."""
    return CODE_RARITY / (1 + math.log10(entries))
