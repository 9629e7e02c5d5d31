"""Dockerfile, compose, systemd and Kubernetes: what can be said of them without running any."""

import re
import shlex
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from cli import main
from deploy.valkey import EmbeddedCache
from settings import PREFIX, Settings, variables

DEPLOY = Path(__file__).parents[3] / "deploy"
KUBERNETES = DEPLOY / "kubernetes"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
#: Everything in deploy/ that is no program of ours and no entry.
FILES = sorted(
    file
    for file in DEPLOY.rglob("*")
    if file.is_file()
    and file.suffix not in {".py", ".pyc", ".md"}
    and not {"sample", "starter"} & set(file.relative_to(DEPLOY).parts)
)


def documents(file: Path) -> list[dict[str, Any]]:
    """The YAML documents of a file."""
    return [one for one in yaml.safe_load_all(file.read_text()) if one]


def compose() -> dict[str, Any]:
    """The services of compose.yaml."""
    services: dict[str, Any] = documents(DEPLOY / "compose.yaml")[0]["services"]
    return services


def pods() -> Iterator[tuple[str, dict[str, Any]]]:
    """Each pod that the base starts, by the name of what starts it."""
    for file in sorted((KUBERNETES / "base").glob("*.yaml")):
        for document in documents(file):
            if "template" in document.get("spec", {}):
                name = f"{document['kind']}/{document['metadata']['name']}"
                yield name, document["spec"]["template"]["spec"]


def commands() -> Iterator[tuple[str, list[str]]]:
    """Every command of ours that a file runs: the file's and service's name, and its arguments."""
    for name, service in compose().items():
        if service["image"].startswith("casebook:"):
            yield f"compose {name}", service["command"]
    for name, pod in pods():
        for container in pod["containers"]:
            if container["image"] == "casebook":
                yield f"{name} {container['name']}", container["args"]
    for unit in UNITS:
        for line in re.findall(r"^ExecStart=(.*)$", unit.read_text(), re.MULTILINE):
            program, *arguments = shlex.split(line)
            if unit.name == "casebook-cache.service":
                continue  # Valkey's
            assert program == "/opt/casebook/bin/casebook"
            yield unit.name, arguments
    default = re.search(r'^CMD \["(.*)"\]$', (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)
    assert default is not None
    yield "Dockerfile", [default[1]]


@pytest.mark.parametrize(("where", "arguments"), list(commands()), ids=str)
def test_every_command_is_one_of_the_cli(where: str, arguments: list[str]) -> None:
    """With options and values that it takes."""
    name, *rest = arguments
    command = main.get_command(click.Context(main), name)
    assert command is not None
    context = command.make_context(name, list(rest), parent=click.Context(main))
    assert context.command is command


def test_every_kind_of_process_is_run_everywhere() -> None:
    """Schema, shim, worker, importer and indexer, in each of the three ways."""
    wanted = {"migrate", "serve", "worker", "worker --role importer", "worker --role indexer"}
    for way in ("compose", "/", ".service"):
        ran = {" ".join(words) for where, words in commands() if way in where}
        assert wanted <= ran, (way, wanted - ran)


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(DEPLOY)))
def test_every_setting_exists(file: Path) -> None:
    """A misspelt CASEBOOK_* name would keep every process from starting."""
    named = set(re.findall(rf"\b{PREFIX}[A-Z_]+\b", file.read_text()))
    allowed = {"CASEBOOK_PORT"} if "service `casebook`" in file.read_text() else set()
    assert named <= set(variables()) | allowed


def test_the_values_are_taken() -> None:
    """What the files set loads as settings."""
    for name, service in compose().items():
        environment = service.get("environment", {})
        ours = {key: str(value) for key, value in environment.items() if key.startswith(PREFIX)}
        assert Settings.load(ours | {"CASEBOOK_DATA": "/data"}, find_servers=False), name
    (values,) = documents(KUBERNETES / "base" / "settings.yaml")
    assert Settings.load(values["data"], find_servers=False)


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(DEPLOY)))
def test_every_image_is_pinned(file: Path) -> None:
    """A tag with a whole version; our own gets its tag from the base's kustomization."""
    text = file.read_text()
    for image in re.findall(r"^(?:FROM|\s*(?:- )?image:) *(\S+)", text, re.MULTILINE):
        ours = image == "casebook" and file.is_relative_to(KUBERNETES)
        assert ours or re.search(r":\d+\.\d+(\.\d+)?(-[a-z]+)*(@sha256:[0-9a-f]{64})?$", image)


def test_kustomizations_name_every_file() -> None:
    """A file that no kustomization names is applied by nobody."""
    for kustomization in KUBERNETES.rglob("kustomization.yaml"):
        (found,) = documents(kustomization)
        named = {*found["resources"], *(one.get("path") for one in found.get("patches", ()))}
        files = {file.name for file in kustomization.parent.glob("*.yaml")}
        assert files - {"kustomization.yaml"} == {str(one) for one in named if one} - {"../../base"}


@pytest.mark.parametrize(("name", "pod"), list(pods()), ids=lambda value: str(value)[:30])
def test_no_pod_may_more_than_it_needs(name: str, pod: dict[str, Any]) -> None:
    """No root, no writable root, no capability, no token; memory has an end."""
    # Kubernetes would describe the service `casebook` in variables named CASEBOOK_*.
    assert pod["enableServiceLinks"] is False
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    for container in pod["containers"]:
        may = container["securityContext"]
        assert may["readOnlyRootFilesystem"] is True
        assert may["allowPrivilegeEscalation"] is False
        assert may["capabilities"] == {"drop": ["ALL"]}
        assert {"requests", "limits"} <= set(container["resources"])


def test_a_node_has_its_index_for_itself() -> None:
    """Worker, importer and indexer of a pod share its volume and its name; no other pod does."""
    found = dict(pods())["StatefulSet/casebook-node"]
    assert [one["name"] for one in found["containers"]] == ["worker", "importer", "indexer"]
    for container in found["containers"]:
        assert {"name": "data", "mountPath": "/data"} in container["volumeMounts"]
        node = next(one for one in container["env"] if one["name"] == "CASEBOOK_NODE")
        assert node["valueFrom"]["fieldRef"]["fieldPath"] == "metadata.name"


def test_no_container_of_compose_may_more_than_it_needs() -> None:
    """Ours, that is; and only the shim is reached from outside, from this host alone."""
    for name, service in compose().items():
        if service["image"].startswith("casebook:"):
            assert service["read_only"] is True
            assert service["cap_drop"] == ["ALL"]
            assert service["security_opt"] == ["no-new-privileges:true"]
        ports = service.get("ports", [])
        assert ports == (["127.0.0.1:8080:8080"] if name == "shim" else [])


def caches() -> Iterator[tuple[str, list[str]]]:
    """How each of the three ways runs the cache's instance, in words."""
    yield "compose", shlex.split(" ".join(compose()["cache"]["command"]))
    found = dict(pods())["Deployment/casebook-cache"]
    yield "kubernetes", shlex.split(" ".join(found["containers"][0]["command"]))
    yield "systemd", shlex.split((DEPLOY / "systemd" / "casebook-cache.service").read_text())


@pytest.mark.parametrize(("way", "words"), list(caches()), ids=lambda value: str(value)[:10])
def test_the_cache_is_an_instance_that_may_lose_everything(way: str, words: list[str]) -> None:
    """With a bound, an eviction of its own and no file, as the embedded one has."""
    options = {name.removeprefix("--"): value for name, value in pairwise(words)}
    wanted = {**EmbeddedCache.options, "maxmemory": Settings.model_fields["cache_memory"].default}
    assert options | wanted | {"save": ""} == options


def test_everybody_is_told_where_the_cache_is() -> None:
    """In compose by its name, in Kubernetes by a secret, under systemd by its socket."""
    for service in compose().values():
        if service["image"].startswith("casebook:"):
            assert service["environment"]["CASEBOOK_CACHE_URL"].endswith("@cache:6379/0")
            assert "cache" not in service.get("depends_on", {})
    for name in ("Deployment/casebook-shim", "StatefulSet/casebook-node"):
        for container in dict(pods())[name]["containers"]:
            assert "CASEBOOK_CACHE_URL" in {one["name"] for one in container["env"]}
    systemd = DEPLOY / "systemd"
    (said,) = re.findall(
        r"CASEBOOK_CACHE_URL=unix://(\S+)",
        (systemd / "casebook-.service.d" / "10-common.conf").read_text(),
    )
    assert f"--unixsocket {said} " in (systemd / "casebook-cache.service").read_text()


def test_the_image_is_built_from_every_room() -> None:
    """A package that .dockerignore leaves out would be missing in the container."""
    project = (DEPLOY.parent / "pyproject.toml").read_text()
    line = next(line for line in project.splitlines() if line.startswith("only-include"))
    rooms = set(re.findall(r'"([^"]+)"', line))
    kept = {
        line.removeprefix("!")
        for line in (DEPLOY.parent / ".dockerignore").read_text().splitlines()
        if line.startswith("!")
    }
    assert rooms | {"pyproject.toml", "README.md"} == kept


def test_units_that_are_wanted_exist() -> None:
    """A target that wants a misspelt unit starts without it, and says nothing."""
    there = {file.name for file in (DEPLOY / "systemd").iterdir()}
    text = "".join(file.read_text() for file in (DEPLOY / "systemd").glob("*.*") if file.is_file())
    for named in re.findall(r"\bcasebook-[\w@-]+\.(?:service|timer)\b", text):
        assert re.sub(r"@\d+", "@", named) in there, named
