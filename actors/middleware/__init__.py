"""Policy is middleware, one a file. The list, in order, with the reason for each place.

`before_*` hooks run from first to last, `after_*` hooks from last to first.
"""

from dramatiq.middleware import Middleware, TimeLimit

from actors.middleware.deadline import Deadline
from actors.middleware.failures import Failures
from actors.middleware.letters import Letters
from actors.middleware.metrics import Metrics
from actors.middleware.operation import Operation
from actors.middleware.patience import Patience
from actors.middleware.replies import Replies
from actors.middleware.retries import Retries
from actors.middleware.spans import Spans
from actors.middleware.tracking import Tracking


def policies() -> list[Middleware]:
    """New instances of every policy, for one broker."""
    return [
        Operation(),  # first: all that follows is told under its id
        Metrics(),  # early: afterwards it sees the outcome that all others left
        Failures(),  # as Metrics, it only looks on
        Spans(),  # so does it
        Deadline(),  # before any work: what nobody awaits costs nothing further
        Patience(),  # outside of TimeLimit's clock: PostgreSQL's absence is not the actor's time
        Letters(),  # has no part in processing: it hears of what was settled as dead
        Replies(),  # after Retries has decided (later in the list runs earlier afterwards)
        Tracking(),  # between the two: what is done and can't be recorded yet is not answered
        Retries(),  # records the outcome that everyone else reads
        TimeLimit(),  # last: its clock covers the actor alone, and stops before anything else
    ]
