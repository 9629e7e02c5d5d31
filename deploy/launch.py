"""What a new child runs first: `launch.py PARENT SIGNAL MAP BECOME -- PROGRAM…`.

A program of its own, and not a `preexec_fn`, because code between fork and exec can deadlock (and
warns since Python 3.12) as soon as the parent has a second thread. It costs about 10 ms and no
memory, since exec replaces it. It imports nothing of ours, so that it can run with `-I -S`.

PARENT  pid that must still be the parent once the death signal is set
SIGNAL  number of the signal to receive when that parent dies (Linux only)
MAP     uid to be inside a new user namespace, or `-`
BECOME  `uid:gid` of the account to become, or `-`

Exits with 125 when the user namespace or the account is refused, with 127 when the program can't
be run. Without a program after `--` it only tries, and exits with 0.
"""

import ctypes
import os
import sys

CLONE_NEWUSER = 0x10000000
PR_SET_PDEATHSIG = 1
REFUSED = 125
NOT_RUN = 127


def check(result: int, what: str) -> None:
    """Raise OSError with the C library's errno unless `result` is 0."""
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def enter_namespace(libc: ctypes.CDLL, inside: int) -> None:
    """Become uid and gid `inside` in a new user namespace; outside it nothing changes."""
    uid, gid = os.geteuid(), os.getegid()
    check(libc.unshare(CLONE_NEWUSER), "unshare")
    # "deny" comes before gid_map: the kernel asks for it where we have no rights outside.
    for name, line in (
        ("setgroups", "deny"),
        ("uid_map", f"{inside} {uid} 1"),
        ("gid_map", f"{inside} {gid} 1"),
    ):
        with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
            file.write(line)


def become(account: str) -> None:
    """Drop root for good."""
    uid, gid = map(int, account.split(":"))
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)


def main(arguments: list[str]) -> int:
    """Change identity, bind this process to its parent's life, become the program."""
    parent, signal, mapped, account, _, *command = arguments
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        if mapped != "-":
            enter_namespace(libc, int(mapped))
        if account != "-":
            become(account)
    except OSError as error:
        print(f"identity refused: {error}", file=sys.stderr)
        return REFUSED
    if sys.platform == "linux":
        # After the identity: the kernel forgets the death signal when credentials change.
        check(libc.prctl(PR_SET_PDEATHSIG, ctypes.c_ulong(int(signal)), 0, 0, 0), "prctl")
        if os.getppid() != int(parent):
            return 0  # the parent died before the signal was set: nobody is waiting for us
    if not command:
        return 0
    try:
        os.execv(command[0], command)  # a path: the standard library may be out of reach now
    except OSError as error:
        print(f"{command[0]} could not be run: {error.strerror}", file=sys.stderr)
        return NOT_RUN


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
