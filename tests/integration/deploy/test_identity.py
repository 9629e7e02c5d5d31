"""As whom PostgreSQL runs: root in a namespace, root without one, and everyone else."""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from deploy.accounts import postgres_identity
from deploy.process import Identity, allowed
from tests.integration.deploy.deploy_helpers import LIMIT, PROGRAMS, ROOT, Program

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="namespaces and setpriv")
root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has a choice")
namespaces = pytest.mark.skipif(
    not allowed(Identity(namespace=65534)), reason="user namespaces are refused here"
)
NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"]
UNNAMED = ["setpriv", "--reuid=54321", "--regid=54321", "--clear-groups", "--"]
# The same for an interpreter below a private folder: not root for PostgreSQL, nor for us.
MAPPED = ["unshare", "--user", "--map-user=65534", "--map-group=65534", "--"]


def reachable(account: Sequence[str]) -> bool:
    """Whether this account can run our interpreter with our packages."""
    probe = [*account, sys.executable, "-c", "import psycopg, redis"]
    return subprocess.run(probe, capture_output=True, check=False).returncode == 0


def serve(data: Path, before: Sequence[str] = ()) -> list[str]:
    """Start both servers twice through `before`; what the second run said."""
    for expected in (1, 2):
        with Program("serve.py", data, before=before) as program:
            program.wait_for(f"served rows={expected} starts={expected}")
            program.end()
    return program.seen


@root
@namespaces
def test_root_uses_a_namespace(data: Path) -> None:
    """As root nothing changes hands: the server's files are root's own."""
    assert "server uid=0 files uid=0" in serve(data)


@root
@namespaces
def test_root_can_use_a_private_folder(short: Path) -> None:
    """Parents that only root can enter are no hindrance in a namespace."""
    short.chmod(0o700)
    assert "server uid=0 files uid=0" in serve(short / "data")


def test_an_unprivileged_user(short: Path) -> None:
    """Without root there is nothing to decide: everything runs and belongs to the user."""
    if os.geteuid() != 0:
        uid, before = os.geteuid(), []
    elif reachable(NOBODY):
        uid, before = 65534, NOBODY
    elif allowed(Identity(namespace=65534)):
        uid, before = 65534, MAPPED
    else:
        pytest.skip("no other account can reach this interpreter")
    short.chmod(0o777)
    assert f"files uid={uid}" in "\n".join(serve(short / "data", before))


@root
@namespaces
def test_a_uid_without_a_name(short: Path) -> None:
    """Containers like to run as a uid that no account has, which initdb alone refuses."""
    if not reachable(UNNAMED):
        pytest.skip("no other account can reach this interpreter")
    short.chmod(0o777)
    assert "server uid=54321 files uid=54321" in serve(short / "data", UNNAMED)


@root
@namespaces
def test_root_without_namespaces(data: Path) -> None:
    """Where they are refused an account takes over its part of the folder, and keeps it."""
    said, account = serve_without_namespaces(data), service_uid()
    assert f"server uid={account} files uid={account}" in said
    assert (data / "valkey").stat().st_uid == 0
    assert data.stat().st_mode & 0o777 == 0o710
    # Back where they are allowed, the owner of the files decides.
    with Program("serve.py", data) as program:
        program.wait_for("served rows=2 starts=2")
        program.wait_for(f"server uid={account} files uid={account}")
        program.end()


@root
@namespaces
def test_a_folder_of_the_namespace_without_namespaces(data: Path) -> None:
    """A cluster that root made in a namespace is handed to the account once they're refused."""
    with Program("serve.py", data) as program:
        program.wait_for("server uid=0 files uid=0")
        program.end()
    account = service_uid()
    said = serve_without_namespaces(data)
    assert "served rows=2 starts=2" in said
    assert f"server uid={account} files uid={account}" in said


@root
@namespaces
def test_an_account_that_cannot_reach_the_folder(short: Path) -> None:
    """Without a namespace, parents closed to the account are named as the likely cause."""
    short.chmod(0o700)
    said = serve_without_namespaces(short / "data")
    assert "failed POSTGRES_NOT_STARTED" in said
    assert "must reach the data folder" in said


def test_an_owner_decides(short: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As root, a cluster that belongs to an account is served by that account."""
    if os.geteuid() != 0:
        pytest.skip("only root can give files away")
    (short / "postgres").mkdir()
    os.chown(short / "postgres", 1234, 5678)
    assert postgres_identity(short / "postgres") == Identity(account=(1234, 5678))


def service_uid() -> int:
    """The uid of `postgres`, else of `nobody`."""
    import pwd

    names = {entry.pw_name: entry.pw_uid for entry in pwd.getpwall()}
    return names.get("postgres", names.get("nobody", 65534))


def serve_without_namespaces(data: Path) -> str:
    """Run `serve.py` as root where unshare is refused, as in many containers; what it said.

    A namespace of our own has a limit of its own: with 0, no further one can be made inside.
    """
    run = 'echo 0 > /proc/sys/user/max_user_namespaces && exec "$@"'
    shell = ["sh", "-c", run, "sh", sys.executable, "-u", str(PROGRAMS / "serve.py"), str(data)]
    process = subprocess.Popen(
        ["unshare", "--user", "--", "sh", "-c", 'read go && exec "$@"', "sh", *shell],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        text=True,
    )
    ours = Path("/proc/self/ns/user").readlink()
    deadline = time.monotonic() + LIMIT
    while Path(f"/proc/{process.pid}/ns/user").readlink() == ours:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    for kind in ("uid", "gid"):
        Path(f"/proc/{process.pid}/{kind}_map").write_text("0 0 65536")
    said, _ = process.communicate("go\n", LIMIT)
    return said
