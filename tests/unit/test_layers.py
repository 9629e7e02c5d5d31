"""The house: imports go one way, and no import does work."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

#: Who may import whom. `deploy` starts processes and may import anything.
ARROWS = {
    "contracts": set(),
    "settings": set(),
    "storage": {"contracts"},
    "actors": {"storage", "contracts"},
    "pipelines": {"actors", "contracts"},
    "shim": {"pipelines", "actors", "contracts"},
    "cli": {"commands"},
    "commands": {"pipelines", "actors", "contracts", "settings", "deploy", "shim"},
    "deploy": {"actors", "pipelines", "storage", "contracts", "settings"},
}

#: The roots of processes: they alone read Settings and start what they find there.
ROOTS = {
    "actors/worker.py": {"settings"},
    "shim/app.py": {"settings", "storage"},  # it makes what it hands on
}


#: What answers from caches sees what is kept and whether it holds, and no more of storage.
CHAIN = ("pipelines/answers.py", "pipelines/question.py")
WHAT_IS_KEPT = ("storage.cache", "storage.index.freshness")


def modules() -> list[Path]:
    """Every module of ours."""
    found = [ROOT / f"{name}.py" for name in ("cli", "settings")]
    for room in ARROWS:
        found += sorted((ROOT / room).rglob("*.py"))
    return found


def imported(path: Path) -> set[str]:
    """The rooms that a module imports, wherever in it the import stands."""
    names = {name for name in all_imported(path) if not _is_allowed(path, name)}
    return {name.partition(".")[0] for name in names} & set(ARROWS)


def _is_allowed(path: Path, name: str) -> bool:
    return str(path.relative_to(ROOT)) in CHAIN and name.startswith(WHAT_IS_KEPT)


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_follow_the_arrows(path: Path) -> None:
    """A module imports only from its own room and those below it."""
    where = str(path.relative_to(ROOT))
    room = where.partition("/")[0].removesuffix(".py")
    allowed = ARROWS[room] | ROOTS.get(where, set()) | {room}
    assert imported(path) <= allowed


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Each can be read after those that it names, wherever in it the import stands."""
    files = {_name(path): path for path in modules()}
    graph = {name: {*all_imported(path)} & files.keys() - {name} for name, path in files.items()}
    tuple(TopologicalSorter(graph).static_order())  # raises CycleError, which names them


def _name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def all_imported(path: Path) -> Iterator[str]:
    """What a module imports, and what it may be meant by: `from room import module`."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_no_import_does_work() -> None:
    """Importing every module opens no socket, starts no thread and reads no setting."""
    names = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in modules()
        if path.name != "__init__.py" and path.name != "launch.py"
    ]
    program = f"""
import importlib, os, socket, sys, threading
def refuse(*_, **__): raise AssertionError("an import opened a socket")
socket.socket.connect = refuse
os.environ["CASEBOOK_NO_SUCH_SETTING"] = "1"
for name in {names!r}: importlib.import_module(name)
assert threading.active_count() == 1, threading.enumerate()
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_only_the_cli_prints() -> None:
    """`print` stands in no module but the commands and the launcher, a program of its own."""
    for path in modules():
        calls = [
            node
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id == "print"
        ]
        where = path.relative_to(ROOT).parts[0]
        assert not calls or where == "commands" or path.name == "launch.py", path


def test_a_command_imports_what_it_runs_when_it_runs() -> None:
    """No actor, driver or engine is loaded before one is needed: `casebook` answers at once."""
    slow = {"actors", "pipelines", "storage", "shim", "psycopg", "redis", "dramatiq", "tantivy"}
    program = f"""
import sys, cli
for name in cli.COMMANDS: assert cli.main.get_command(None, name).name == name
found = {{name.partition(".")[0] for name in sys.modules}} & {slow!r}
assert not found, found
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_a_command_does_not_import_the_others() -> None:
    """Whoever searches while something is broken does not wait for what watches a folder."""
    program = """
import sys, cli
cli.main.get_command(None, "search")
import actors.broker.client, actors.queues, pipelines.searching
slow = {"commands.bulk", "commands.watch", "actors.catalogue", "actors.imports", "fastapi"}
assert not slow & sys.modules.keys(), slow & sys.modules.keys()
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
