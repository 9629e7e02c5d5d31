"""What the processes of a Casebook have logged."""

from pathlib import Path

import httpx
import orjson

from settings import SecretFile
from tests.support.casebook import Casebook

OURS = ("worker-0", "importer", "indexer", "shim")


def test_logs_are_json_lines_without_secrets(casebook: Casebook, http: httpx.Client) -> None:
    """Each line says which process wrote it, once; no file holds a key or a password."""
    assert http.get("/v1/search", params={"q": "S0C7"}).status_code == 200
    with casebook.http(key="casebook_" + "wrong" * 9) as stranger:
        assert stranger.get("/v1/search", params={"q": "S0C7"}).status_code == 401
    folder = casebook.data / "logs"
    for name in OURS:
        lines = (folder / f"{name}.log").read_text().splitlines()
        found = [orjson.loads(line) for line in lines]
        assert {one["process"] for one in found} == {name.partition("-")[0]}, name
        assert all("timestamp" in one and not one["event"].startswith("{") for one in found)
    secrets = [*_secrets(casebook.data), "wrong" * 9]
    for file in folder.iterdir():
        text = file.read_text(errors="replace")
        assert not [secret for secret in secrets if secret in text], file.name


def _secrets(data: Path) -> list[str]:
    names = set(SecretFile) - {SecretFile.ENDPOINTS}  # that is JSON
    found = [(data / name).read_text().strip() for name in names]
    assert all(len(one) > 20 for one in found)
    return found
