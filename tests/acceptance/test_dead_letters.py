"""Dead letters as an operator meets them, on the command line and over HTTP."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.support.casebook import Casebook
from tests.support.dying import die, send_bytes, until

NOBODY = "01900000-0000-7000-8000-000000000000"


@pytest.fixture
def word(casebook: Casebook) -> Iterator[str]:
    """A word that is in this test's letters alone; what is left of them is put aside."""
    word = f"w{uuid4().hex}"
    yield word
    casebook.run("dead", "discard", "--text", word, "--why", "the test is over", "--yes")


def dead(http: httpx.Client, word: str, count: int) -> list[dict[str, Any]]:
    """This test's letters, as soon as there are that many, the last to die first."""

    def found() -> Any:
        page = http.get("/v1/dead-letters", params={"text": word}).raise_for_status().json()
        return page["letters"] if len(page["letters"]) == count else None

    letters: list[dict[str, Any]] = until(found)
    return letters


def invalid(word: str) -> dict[str, Any]:
    """Fields that fit no entry."""
    return {"title": f"mend {word}", "severity": "terrible"}


def test_what_dies_is_seen_without_asking(
    casebook: Casebook, http: httpx.Client, word: str
) -> None:
    """Invalid, refused and unreadable messages are listed, counted and grouped by themselves."""
    die(casebook, invalid(word), count=3)
    die(casebook, {"title": f"twin {word}", "problem": word}, count=2)
    send_bytes(casebook, f"\0 no message {word}".encode())
    letters = dead(http, word, 5)
    assert sorted(one["reason"] for one in letters) == [
        *["invalid"] * 3,
        "refused",
        "undecodable",
    ]
    assert casebook.run("dead", "count", "--text", word).out == "5\n"
    assert casebook.run("dead", "count", "--text", word, "--json").json == {"count": 5}
    shown = casebook.run("dead", "groups", "--text", word).out
    assert "3 x ValidationFailed in entries.create since " in shown
    assert "1 x undecodable in unreadable messages since " in shown
    assert "severity" in shown
    listed = casebook.run("dead", "list", "--text", word, COLUMNS="80").out
    assert all(one["id"] in listed for one in letters)
    groups = casebook.run("dead", "groups", "--text", word, "--json").json["groups"]
    assert [group["count"] for group in groups] == [3, 1, 1]
    reason = ("--text", word, "--reason", "refused")
    (refused,) = casebook.run("dead", "list", *reason, "--json").json["letters"]
    assert refused["error"] == "DuplicateEntry"


def test_a_letter_is_shown_whole(casebook: Casebook, http: httpx.Client, word: str) -> None:
    """What happened, with its traceback, the request, and what can be done."""
    die(casebook, invalid(word))
    (letter,) = dead(http, word, 1)
    shown = casebook.run("dead", "show", letter["id"]).out
    assert shown.startswith("entries.create ValidationFailed  invalid\n")
    assert "entry.severity: " in shown
    assert "Traceback (most recent call last)" in shown
    assert f'"title": "mend {word}"' in shown
    assert f"casebook dead edit {letter['id']}" in shown
    whole = casebook.run("dead", "show", letter["id"], "--json").json
    (attempt,) = whole["attempts"]
    assert "request_in" in attempt["traceback"]
    assert whole == http.get(f"/v1/dead-letters/{letter['id']}").json()


def test_an_unreadable_letter_is_shown_and_refused(
    casebook: Casebook, http: httpx.Client, word: str
) -> None:
    """Its bytes can be read, nothing in them reaches the terminal; it can only be discarded."""
    send_bytes(casebook, f"\x1b[2J[bold] {word} \xff".encode("latin-1"))
    (letter,) = dead(http, word, 1)
    shown = casebook.run("dead", "show", letter["id"])
    assert "\\x1b[2J[bold]" in shown.out
    assert "\x1b" not in shown.out
    edited = casebook.run("dead", "edit", letter["id"])
    assert (edited.code, "can only be discarded" in edited.err) == (1, True)
    replayed = casebook.run("dead", "replay", letter["id"])
    assert (replayed.code, "can't be read" in replayed.out) == (1, True)


def test_a_letter_is_mended_in_the_editor_and_sent(
    casebook: Casebook, http: httpx.Client, word: str, tmp_path: Path
) -> None:
    """A rejected edit keeps what was typed; the mended message stores the entry."""
    die(casebook, invalid(word))
    (letter,) = dead(http, word, 1)

    def editor(new: str) -> str:
        script = tmp_path / f"{new}.py"
        script.write_text(
            "import os, pathlib, sys\n"
            "file = pathlib.Path(sys.argv[1])\n"
            f"file.write_text(file.read_text().replace('terrible', '{new}'))\n"
            "os.utime(file, (2e9, 2e9))  # click sees a change by its time, in whole seconds\n"
        )
        return f"{sys.executable} {script}"

    wrong = casebook.run("dead", "edit", letter["id"], EDITOR=editor("worse"))
    assert wrong.code == 1
    assert "entry.severity" in wrong.err
    assert "Traceback" not in wrong.err
    kept = Path(wrong.err.partition("--request @")[2].split()[0])
    assert "worse" in kept.read_text()
    kept.unlink()
    unsaved = casebook.run("dead", "edit", letter["id"], EDITOR="true")
    assert (unsaved.code, "Nothing was changed" in unsaved.err) == (1, True)

    done = casebook.run("dead", "edit", letter["id"], EDITOR=editor("high"))
    assert f"casebook dead replay {letter['id']}" in done.out, done.err
    counted = casebook.run("dead", "replay", letter["id"], "--dry-run")
    assert (counted.code, counted.out) == (0, "1 letter would be sent.\n")
    replayed = casebook.run("dead", "replay", letter["id"])
    assert (replayed.code, "replay succeeded, 1 of 1" in replayed.out) == (0, True)
    entry = until(lambda: casebook.run("search", "--json", word).json["hits"])[0]
    assert entry["severity"] == "high"
    assert casebook.run("dead", "replay", letter["id"]).code == 1  # it is not dead any more
    shown = casebook.run("dead", "show", letter["id"]).out
    assert "replayed by " in shown
    assert "casebook tasks show" in shown


def test_requests_that_can_t_be_are_refused(
    casebook: Casebook, http: httpx.Client, word: str
) -> None:
    """No JSON, the wrong shape, what PostgreSQL can't hold: named, on both ways in."""
    die(casebook, invalid(word))
    (letter,) = dead(http, word, 1)
    for request, said in (
        ("{oops", "no JSON"),
        ("[1]", "request"),
        ('{"entry": {"titel": "x"}}', "entry.titel"),
        ('{"entry": {"title": "nul \\u0000 here"}}', "NUL"),
        ('{"x": ' + "[" * 300 + "]" * 300 + "}", "can't be sent"),
        ("@/no/such/file", "No such file"),
    ):
        done = casebook.run("dead", "edit", letter["id"], "--request", request)
        assert done.code in (1, 2), request
        assert said in done.err
        assert "Traceback" not in done.err
    place = f"/v1/dead-letters/{letter['id']}/request"
    for body in (
        b"{oops",
        b"[1]",
        b'{"entry": {"titel": "x"}}',
        b'{"entry": {"title": "a \\u0000 b"}}',
        b'{"x": "\\ud800"}',
        b'{"x": 123456789012345678901234567890}',
        b'{"x": ' + b"[" * 300 + b"]" * 300 + b"}",
        b"",
        b"\xff",
    ):
        answer = http.put(place, content=body, headers={"Content-Type": "application/json"})
        assert 400 <= answer.status_code < 500, (body, answer.text)
        assert answer.json()["code"] in ("VALIDATION_FAILED", "JSON_UNREADABLE", "BODY_UNREADABLE")
    wrong = http.put(place, json={"entry": {"titel": "x"}}).json()
    assert "entry.titel" in [error["field"] for error in wrong["errors"]]


def test_letters_are_discarded_and_restored(
    casebook: Casebook, http: httpx.Client, word: str
) -> None:
    """With a reason that is kept; asked before it is done, unless told not to."""
    die(casebook, invalid(word), count=2)
    dead(http, word, 2)
    by_text = ("--text", word)
    asked = casebook.run("dead", "discard", *by_text, "--why", "x", stdin=b"n\n")
    assert (asked.code, "Discard 2 letters?" in asked.err) == (1, True)
    why = "nobody's 100% \N{FIRE} 'quoted' \"twice\""
    done = casebook.run("dead", "discard", *by_text, "--why", why, "--yes")
    assert (done.code, done.out) == (0, "2 letters discarded.\n")
    state = (*by_text, "--state", "discarded", "--json")
    letters = casebook.run("dead", "list", *state).json["letters"]
    assert why in casebook.run("dead", "show", letters[0]["id"]).out
    again = casebook.run("dead", "discard", *by_text, "--why", "x")  # nobody is asked about none
    assert (again.code, again.out) == (0, "Nothing was discarded: none fits.\n")
    answer = http.post("/v1/dead-letters/restore", json={"text": word})
    assert answer.json() == {"count": 2, "more": False}
    assert len(dead(http, word, 2)) == 2
    assert casebook.run("dead", "discard", *by_text).code == 2  # --why is missing


def test_replays_at_a_rate_and_by_filter(casebook: Casebook, http: httpx.Client, word: str) -> None:
    """What dies again comes back marked; counting over HTTP changes nothing."""
    die(casebook, invalid(word), count=4)
    dead(http, word, 4)
    counted = http.post("/v1/dead-letters/replay?dry_run=true", json={"text": word})
    assert counted.json()["count"] == 4
    arguments = ("--text", word, "--yes", "--rate", "8", "--json")
    done = casebook.run("dead", "replay", *arguments)
    assert done.code == 0, done.err
    assert (done.json["type"], done.json["done"], done.json["details"]["rate"]) == ("replay", 4, 8)
    letters = dead(http, word, 4)
    assert {one["replays"] for one in letters} == {1}
    assert "replayed 1 x before" in casebook.run("dead", "list", "--text", word).out
    key = {"Idempotency-Key": uuid4().hex}
    twice = [
        http.post("/v1/dead-letters/replay", json={"text": word}, headers=key) for _ in range(2)
    ]
    assert [answer.status_code for answer in twice] == [202, 202]
    assert twice[0].json() == twice[1].json()


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("show", NOBODY), 1, "DEAD_LETTER_NOT_FOUND"),
        (("edit", NOBODY, "--request", "{}"), 1, "DEAD_LETTER_NOT_FOUND"),
        (("show", "no-id"), 2, "not a valid UUID"),
        (("replay",), 1, "say everything"),
        (("discard", "--why", "x"), 1, "say everything"),
        (("discard", "--why", "x", "--text", "", "--yes"), 1, "text"),
        (("replay", "--everything", "--rate", "0"), 1, "rate"),
        (("replay", "--everything", "--rate", "nan"), 1, "rate"),
        (("list", "--since", "yesterdayish"), 2, "90s, 15m, 2h, 3d"),
        (("list", "--since", "99999999999d"), 2, "90s, 15m, 2h, 3d"),
        (("list", "--limit", "0"), 2, "0 is not in the range"),
        (("list", "--cursor", NOBODY), 1, "cursor"),
        (("list", "--task", "x"), 2, "not a valid UUID"),
        (("list", "--state", "lost"), 2, "'lost'"),
        (("list", "--text", "x" * 201), 1, "text"),
    ],
)
def test_what_makes_no_sense_is_said_so(
    casebook: Casebook, arguments: tuple[str, ...], code: int, said: str
) -> None:
    """The exit code and one line, never a traceback."""
    done = casebook.run("dead", *arguments)
    assert (done.code, said in done.err) == (code, True), done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize("text", ["100%", "a_b", 'it\'s "x"', "\N{FIRE}", "\\", "'; drop table x"])
def test_any_text_can_be_looked_for(casebook: Casebook, http: httpx.Client, text: str) -> None:
    """It is searched as it stands."""
    assert casebook.run("dead", "count", "--text", text, "--json").json["count"] >= 0
    assert http.get("/v1/dead-letters/groups", params={"text": text}).status_code == 200


def test_http_refuses_what_makes_no_sense(http: httpx.Client) -> None:
    """As an error of the request, with its field, never as one of the server."""
    for query, field in (
        ("since=yesterdayish", "since"),
        ("limit=0", "limit"),
        ("cursor=" + NOBODY, "cursor"),
        ("text=%00", "text"),
        ("actor=a%00b", "actor"),
        ("state=lost", "state"),
        ("color=red", "color"),
        ("ids=x", "ids"),
    ):
        answer = http.get(f"/v1/dead-letters?{query}")
        assert answer.status_code == 422, (query, answer.text)
        assert any(field in error["field"] for error in answer.json()["errors"]), answer.text
    assert http.get(f"/v1/dead-letters/{NOBODY}").json()["code"] == "DEAD_LETTER_NOT_FOUND"
    assert http.get("/v1/dead-letters/no-id").status_code == 422
    for place, body in (
        ("discard", {"why": "x"}),
        ("discard", {"everything": True, "why": ""}),
        ("discard", {"everything": True, "why": "x", "state": "replaying"}),
        ("restore", {"everything": True, "state": "replaying"}),
        ("replay", {"ids": [str(uuid4()) for _ in range(5_000)]}),
        ("replay", {"ids": ["x"]}),
        ("replay", {"everything": True, "key": "a\0b"}),
        ("replay", {"everything": True, "rate": 1e-300}),
        ("replay", []),
    ):
        answer = http.post(f"/v1/dead-letters/{place}", json=body)
        assert answer.status_code == 422, (place, answer.text)
        assert answer.json()["code"] == "VALIDATION_FAILED"
    ids = [str(uuid4()) for _ in range(1_000)]
    assert http.post("/v1/dead-letters/discard", json={"ids": ids, "why": "x"}).json() == {
        "count": 0,
        "more": False,
    }
