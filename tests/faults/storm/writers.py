"""Threads that write and search over HTTP, each write asked again until it is acknowledged."""

import random
import threading
import time
from collections.abc import Callable
from typing import Any

import httpx

from tests.faults.storm.gate import Gate
from tests.faults.storm.ledger import Kept, Ledger
from tests.support.casebook import Casebook

PATIENCE = 120.0  # seconds until a write that is never acknowledged is given up, and told
PAUSE = 0.05  # seconds between two askings
MOST = 300  # entries that one writer goes on changing
WORDS = [
    "dataset",
    "abend",
    "volume",
    "queue",
    "region",
    "catalog",
    "timeout",
    "deadlock",
    "restart",
    "checkpoint",
]
NOT_NOW = (202, 503, 504)
REFUSED = "to be refused"  # how the texts begin that must never be stored


class Unexpected(Exception):
    """An answer that must not be."""


class Caller(threading.Thread):
    """One thread of the load; `one` is called over and over while the gate is open."""

    def __init__(
        self, name: str, casebook: Casebook, ledger: Ledger, gate: Gate, seed: int
    ) -> None:
        super().__init__(name=name, daemon=True)
        self.chance = random.Random(f"{seed} {name}")
        self.ledger = ledger
        self._gate = gate
        self._casebook = casebook

    def run(self) -> None:
        with self._casebook.http() as http:
            self.http = http
            while self._gate.enter():
                try:
                    self.one()
                except Exception as error:
                    self.ledger.complain(f"{self.name}: {type(error).__name__}: {error}")
                finally:
                    self._gate.leave()
                time.sleep(self.chance.uniform(0, 0.02))

    def one(self) -> None:
        """One piece of work."""
        raise NotImplementedError

    def ask(self, what: str, send: Callable[[], httpx.Response]) -> httpx.Response | None:
        """The answer; None when the connection failed, as it does while the shim is away."""
        try:
            answer = send()
        except httpx.TransportError as error:
            self.ledger.count(f"{what} {type(error).__name__}")
            return None
        problem = answer.headers["content-type"] == "application/problem+json"
        code = f" {answer.json()['code']}" if problem else ""
        self.ledger.count(f"{what} {answer.status_code}{code}")
        if answer.status_code >= 400 and not problem:
            raise Unexpected(f"{what}: {answer.status_code} {answer.text[:300]}")
        return answer

    def insist(self, what: str, send: Callable[[], httpx.Response], done: int) -> Any:
        """Ask until the answer has the status `done`; its JSON."""
        give_up = time.monotonic() + PATIENCE
        while time.monotonic() < give_up:
            answer = self.ask(what, send)
            if answer is not None and answer.status_code == done:
                return answer.json()
            if answer is not None and answer.status_code not in NOT_NOW:
                raise Unexpected(f"{what}: {answer.status_code} {answer.text[:300]}")
            time.sleep(PAUSE)
        raise Unexpected(f"{what}: not acknowledged within {PATIENCE:g} s")


class Writer(Caller):
    """Creates, changes and deletes entries of its own, and asks for what must be refused."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._number = 0
        self._own: list[Kept] = []

    def one(self) -> None:
        draw = self.chance.random()
        if draw < 0.45 or not self._own:
            self._create()
        elif draw < 0.87:
            self._update(self.chance.choice(self._own))
        elif draw < 0.92:
            self._remove(self._own.pop(self.chance.randrange(len(self._own))))
        else:
            self._be_refused(self.chance.choice(self._own))
        del self._own[:-MOST]

    def _key(self) -> str:
        self._number += 1
        return f"{self.name}-{self._number}"

    def _create(self) -> None:
        key = self._key()
        title = f"storm {key.replace('-', '')}x {self.chance.choice(WORDS)}"
        body = {"title": title, "problem": " ".join(self.chance.choices(WORDS, k=30))}
        stored = self.insist("write", lambda: self._post(body, key), 201)
        kept = Kept(stored["entry"]["id"], title)
        self.ledger.keep(kept, key)
        if self.chance.random() < 0.2:
            self._find_own(title.split()[1], kept.entry_id, stored["position"])
        self._own.append(kept)

    def _post(self, body: dict[str, str], key: str) -> httpx.Response:
        return self.http.post("/v1/entries", json=body, headers={"Idempotency-Key": key})

    def _patch(self, kept: Kept, key: str, problem: str, version: int | None) -> httpx.Response:
        return self.http.patch(
            f"/v1/entries/{kept.entry_id}",
            json={"problem": problem},
            params={"expected_version": version} if version else {},
            headers={"Idempotency-Key": key},
        )

    def _find_own(self, word: str, entry_id: str, position: str) -> None:
        """A search after one's own write finds it, or says that it can't be answered."""
        asked = {"q": word, "after": position}
        answer = self.ask("search", lambda: self.http.get("/v1/search", params=asked))
        if answer is None or answer.status_code in (503, 504):
            return
        found = [hit["id"] for hit in answer.json().get("hits", ())]
        if answer.status_code != 200 or entry_id not in found:
            raise Unexpected(f"search for {word} after {position}: {answer.text[:300]}")

    def _update(self, kept: Kept) -> None:
        key = self._key()
        text = f"changed by {key}"
        # Asked again after its effect, even a version check answers as the first time.
        version = len(kept.texts) + 1 if self.chance.random() < 0.5 else None
        self.insist("write", lambda: self._patch(kept, key, text, version), 200)
        kept.texts.append(text)
        self.ledger.acknowledge(key)

    def _remove(self, kept: Kept) -> None:
        key, path = self._key(), f"/v1/entries/{kept.entry_id}"
        headers = {"Idempotency-Key": key}
        self.insist("write", lambda: self.http.delete(path, headers=headers), 200)
        kept.deleted = True
        self.ledger.acknowledge(key)

    def _be_refused(self, kept: Kept) -> None:
        """What contradicts an acknowledged write is refused, however often it is asked."""
        key = self._key()
        title = f"{REFUSED} {key}"
        draw = self.chance.random()
        if draw < 0.4:
            stale = len(kept.texts) + 2
            self.insist("refused", lambda: self._patch(kept, key, title, stale), 409)
        elif draw < 0.7:
            body = {"title": title, "problem": "", "severity": "none such"}
            self.insist("refused", lambda: self._post(body, key), 422)
        else:
            # The key of some acknowledged write, with another body.
            used = min(self.ledger.keys)
            self.insist("refused", lambda: self._post({"title": title}, used), 422)
        self.ledger.refuse(title)


class Searcher(Caller):
    """Searches; only an answer, or a typed "not now", will do."""

    def one(self) -> None:
        asked: dict[str, str | int] = {"q": " ".join(self.chance.choices(WORDS, k=2)), "limit": 5}
        answer = self.ask("search", lambda: self.http.get("/v1/search", params=asked))
        if answer is not None and answer.status_code not in (200, 503, 504):
            raise Unexpected(f"search: {answer.status_code} {answer.text[:300]}")
        time.sleep(self.chance.uniform(0, 0.03))
