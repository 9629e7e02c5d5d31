"""Which tests run in one process when several run side by side."""

from xdist.scheduler import LoadFileScheduling

#: Folders whose tests share a Casebook. It takes longer to start than most of them, and in two
#: processes there would be two.
SHARED = ("tests/acceptance", "tests/faults")
#: What has a Casebook of its own there, or needs none.
APART = (
    "test_analytics.py",
    "test_backup.py",
    "test_broker_faults.py",
    "test_degraded.py",
    "test_refusals.py",
    "test_rolling_restart.py",
    "test_storm.py",
)


class Spreading(LoadFileScheduling):
    """Each file goes to one process, and so do all files that share a Casebook."""

    def _split_scope(self, nodeid: str) -> str:
        file: str = super()._split_scope(nodeid)
        folder, _, name = file.rpartition("/")
        return folder if folder in SHARED and name not in APART else file
