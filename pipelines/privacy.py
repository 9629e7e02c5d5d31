"""What is kept of people: pseudonyms instead of names, and no addresses or numbers in queries."""

import contextlib
import hashlib
import logging
import os
import re
import secrets
import tempfile
import unicodedata
from pathlib import Path
from uuid import UUID

from pydantic import SecretStr

from contracts.analytics import NORMAL_KEPT, QUERY_KEPT

log = logging.getLogger(__name__)

EMAIL = re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,4}")
CARD = re.compile(r"(?<![\w.+-])\d(?:[ -]?\d){12,18}(?!\w)")
#: A code is short, or bears a letter or a sign of its own: S0C7, -805, 00C90088, FILE STATUS 35.
#: So a number is an unbroken row of nine digits or more, or one that is written as phones are.
NUMBER = re.compile(
    r"(?<!\w)(?:"
    r"\+\d(?:[ ./()-]{0,2}\d){7,14}"  # +49 (30) 123-4567
    r"|\(?\d{3}\)?[ .-]?\d{3}[.-]\d{4}"  # (555) 123-4567
    r"|\d{3}-\d{2}-\d{4}"
    r"|\d{9,}"
    r")(?!\w)"
)


def mask(text: str, most: int = QUERY_KEPT) -> str:
    """The text without e-mail addresses, and card and phone numbers; at most `most` characters."""
    cut = 4 * most
    if len(text) > cut:  # at a space, or half of an address would be shown
        text = text[:cut].rpartition(" ")[0] or "<long>"
    if not text.isprintable():
        text = "".join(one if one.isprintable() or one == "\n" else " " for one in text)
    if "@" in text:
        text = EMAIL.sub("<email>", text)
    text = CARD.sub(lambda found: "<number>" if _luhn(found[0]) else found[0], text)
    return NUMBER.sub("<number>", text)[:most]


def normalised(masked: str) -> str:
    """A query as it is counted: case, spaces and ways to write an accent tell no two apart."""
    text = unicodedata.normalize("NFC", masked).casefold()
    return " ".join(text.split())[:NORMAL_KEPT]


def _luhn(text: str) -> bool:
    """Whether the last digit checks the others, as on every payment card (ISO/IEC 7812-1)."""
    digits = [int(one) for one in text if one.isdigit()]
    doubled = (sum(divmod(2 * one, 10)) for one in digits[-2::-2])
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


class Pseudonyms:
    """Names that tell people apart and don't tell who they are without the key."""

    def __init__(self, key: bytes) -> None:
        self._key = hashlib.blake2b(key).digest()

    def of(self, kind: str, name: str) -> UUID:
        """The pseudonym of a user or a session; the same name of another kind has another."""
        text = f"{kind}:{name}".encode(errors="surrogatepass")
        return UUID(bytes=hashlib.blake2b(text, key=self._key, digest_size=16).digest())


def pseudonyms(key: SecretStr | None, file: Path) -> Pseudonyms:
    """By the key given, else by that of the file, which is made (mode 0600) where it is missing.

    Where it can't be, pseudonyms last as long as this process.
    """
    if key is not None:
        return Pseudonyms(key.get_secret_value().encode())
    try:
        with contextlib.suppress(FileExistsError):
            _make(file)
        return Pseudonyms(file.read_bytes())
    except OSError as error:
        log.warning("pseudonyms last until this process ends: %s", error)
        return Pseudonyms(secrets.token_bytes(32))


def known_user(key: SecretStr | None, file: Path, name: str) -> UUID | None:
    """Whose pseudonym it is, None where no key is at hand: nobody makes one in passing."""
    if key is None and not file.exists():
        return None
    return pseudonyms(key, file).of("user", name)


def _make(file: Path) -> None:
    """Make the file whole or not at all: another process may read it at once."""
    if file.exists():
        return
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=file.name)
    try:
        with os.fdopen(handle, "w") as made:
            made.write(secrets.token_urlsafe(32))
        os.link(name, file)
    finally:
        Path(name).unlink()
