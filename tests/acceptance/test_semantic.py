"""Search by meaning, as an operator switches it on and a person asks."""

from collections.abc import Iterator

import httpx
import pytest

from tests.support.casebook import Casebook


@pytest.fixture
def switched(casebook: Casebook) -> Iterator[Casebook]:
    """The shared one, off again at the end whatever happens."""
    yield casebook
    casebook.run("semantic", "disable")


def test_from_off_to_on_and_off_again(switched: Casebook, http: httpx.Client) -> None:
    """Refused with what to do; then found by meaning and by both, filtered; then refused again."""

    def search(**asked: str) -> tuple[int, dict[str, object]]:
        answer = http.get("/v1/search", params={"q": "S0C7 bad numeric data", **asked})
        return answer.status_code, answer.json()

    assert search()[0] == 200
    for mode in ("semantic", "hybrid"):
        status, problem = search(mode=mode)
        assert (status, problem["code"]) == (422, "SEMANTIC_OFF")
        assert "casebook semantic enable" in str(problem)
    done = switched.run("semantic", "enable", "--json")
    assert (done.code, done.json["status"]) == (0, "succeeded"), done.err
    state = switched.run("semantic", "--json").json
    assert http.get("/v1/semantic").json() == state
    assert state["vectors"] == state["entries"] > 100
    for mode in ("semantic", "hybrid"):
        status, reply = search(mode=mode, severity="high", facets="severity")
        hits = reply["hits"]
        assert status == 200 and isinstance(hits, list)
        assert {hit["severity"] for hit in hits} == {"high"}
        _, reply = search(mode=mode)
        first = reply["hits"][0]  # type: ignore[index]  # a list, as above
        assert first["matched"] == "code" and "S0C7" in first["title"]
    assert "by words alone" not in _printed(switched)
    assert http.delete("/v1/semantic").json() == {"vectors": state["vectors"]}
    assert search(mode="semantic")[0] == 422
    assert search()[0] == 200
    started = http.put("/v1/semantic")
    assert (started.status_code, started.json()["count"]) == (202, state["entries"])
    assert switched.run("tasks", "show", started.json()["task"], "--follow").code == 0
    assert http.get("/v1/semantic").json()["vectors"] == state["entries"]


def _printed(casebook: Casebook) -> str:
    done = casebook.run("search", "disk", "full", "--mode", "hybrid", "--json")
    assert done.code == 0, done.err
    return str(done.json["interpreted_as"])
