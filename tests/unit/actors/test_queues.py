"""The queues that a producer knows."""

from actors import queues
from actors.catalogue import OF_A_NODE, SHARED, roles


def test_producers_know_every_queue() -> None:
    """Those of all operations, and no more; and each is read by some process."""
    assert sorted(queues.SHARED) == sorted({operation.queue for operation in SHARED})
    assert {operation.queue for operation in OF_A_NODE} == {queues.INDEX}
    read = {reading.queue for role in roles("n", 1, 0).values() for reading in role.readings}
    assert read == {*queues.SHARED, queues.queue_of("n")}
