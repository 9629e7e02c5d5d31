"""What `casebook doctor` finds about releases: PostgreSQL's, and those of the running processes."""

from collections.abc import Iterable
from importlib.metadata import version

from contracts.health import Finding
from contracts.system import ProcessState

OLDEST_POSTGRES = 15  # that Casebook was tried on


def postgres(release: str) -> list[Finding]:
    """Of `server_version`: 18.1, 17.5 (Debian 17.5-1), 19devel."""
    digits = release.partition(".")[0].removesuffix("devel")
    if digits.isdigit() and int(digits) < OLDEST_POSTGRES:
        remedy = f"Upgrade it: Casebook was tried on PostgreSQL {OLDEST_POSTGRES} and later."
        return [Finding("warning", "database", f"it is release {release}", remedy)]
    return []


def running(states: Iterable[ProcessState]) -> list[Finding]:
    """Whether each process runs this command's release: one goes on with what it was started as."""
    ours = version("casebook")
    others = [one for one in states if one.release != ours]
    told = [
        f"{one.name} of {one.node} runs {one.release or 'an earlier one'}, this command is {ours}"
        for one in others
    ]
    if not told:
        return [Finding("well", "releases", f"every process runs {ours}, as this command does")]
    remedy = "Restart it, so that it runs what is installed (docs/running.md, Upgrades)."
    return [Finding("warning", "releases", found, remedy) for found in told]
