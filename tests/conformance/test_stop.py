"""Laws of stopping: what runs ends, what waits is handed on."""

import queue
import threading

from tests.conformance.contenders import Contender
from tests.support.waiting import SOON, silent, take


def test_stop_waits_for_the_running_message(contender: Contender, queue_name: str) -> None:
    """Stopping lets the running message end well, and it is not run again."""
    began: queue.Queue[None] = queue.Queue()
    release = threading.Event()
    ended: queue.Queue[bool] = queue.Queue()

    def work() -> None:
        began.put(None)
        ended.put(release.wait(SOON))

    contender.actor(work, queue_name).send()
    stop = contender.start()
    take(began, 1)
    stopping = threading.Thread(target=stop)
    stopping.start()
    contender.recorder.wait("before_worker_shutdown", SOON)
    assert silent(ended, 0.1)
    release.set()
    stopping.join(SOON)
    assert take(ended, 1) == [True]
    contender.start()
    assert silent(began)


def test_stop_hands_back_what_was_prefetched(contender: Contender, queue_name: str) -> None:
    """Messages that were only prefetched run elsewhere while the stopping worker is still busy."""
    seen: queue.Queue[str] = queue.Queue()
    release = threading.Event()

    def work(name: str) -> None:
        seen.put(name)
        if name == "slow":
            release.wait(SOON)

    actor = contender.actor(work, queue_name)
    actor.send("slow")
    actor.send("quick")
    stop = contender.start(threads=1, prefetch=2)
    assert take(seen, 1) == ["slow"]
    stopping = threading.Thread(target=stop)
    stopping.start()
    try:
        contender.recorder.wait("before_worker_shutdown", SOON)
        contender.start(threads=1, prefetch=2)
        assert take(seen, 1, timeout=2.0) == ["quick"]
    finally:
        release.set()
        stopping.join(SOON)
    assert silent(seen)
