"""Small disks that can be filled, in a mount namespace of the harness's own."""

import contextlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

SIZE = 192 * 1024 * 1024  # bytes
INSIDE = "CASEBOOK_STORM_INSIDE"  # set once this process has its own mount namespace
OWN_MOUNTS = ["unshare", "--mount", "--propagation", "private", "--"]


class Disk:
    """A file system of its own on `folder`, in memory; it goes with the namespace."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._filler = folder / "filler"

    def mount(self) -> None:
        """Make it, for its owner only."""
        self.folder.mkdir(mode=0o700, parents=True)
        options = f"size={SIZE},mode=0700"
        command = ["mount", "-t", "tmpfs", "-o", options, "none", str(self.folder)]
        subprocess.run(command, check=True)

    def unmount(self) -> None:
        """Take it away, with what is on it."""
        subprocess.run(["umount", "--lazy", str(self.folder)], check=False)

    def fill(self) -> None:
        """Leave no space."""
        with self._filler.open("ab") as file, contextlib.suppress(OSError):
            while True:
                free = shutil.disk_usage(self.folder).free
                os.posix_fallocate(file.fileno(), file.tell(), max(free, 4096))
                file.seek(0, os.SEEK_END)

    def free(self) -> None:
        """Give the space back."""
        self._filler.unlink(missing_ok=True)


def enter_namespace(module: str, arguments: list[str]) -> bool:
    """Run this program again where its mounts are its own; False where that is refused.

    Only as root: in a user namespace we would be root to PostgreSQL, which refuses it.
    """
    if os.environ.pop(INSIDE, None):
        return True
    if sys.platform != "linux" or os.geteuid() != 0 or not shutil.which("unshare"):
        return False
    probe = [*OWN_MOUNTS, "mount", "-t", "tmpfs", "none", "/mnt"]
    if subprocess.run(probe, capture_output=True, check=False).returncode:
        return False
    command = [*OWN_MOUNTS, sys.executable, "-m", module, *arguments]
    return os.execvpe(command[0], command, os.environ | {INSIDE: "1"})
