"""A folder with one Markdown file for each entry, as a team keeps it in git."""

import hashlib
import os
import re
import unicodedata
from pathlib import Path
from typing import NamedTuple

import orjson
from pydantic import ValidationError

from contracts.errors import SourceUnreadable
from contracts.imports import ExportedEntry, ImportedEntry
from pipelines.formats.front_matter import Fields, Unreadable
from pipelines.formats.markdown import called, file_of, parse
from pipelines.formats.paths import MARKDOWN, is_source, of_folder, told

PLAIN = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")  # the same file everywhere, whatever the case
PLAIN_FOLDER = re.compile(r"[a-z0-9][a-z0-9_-]{0,99}")
NAME_BYTES = 100  # of a folder's name, and of a file's before what makes it unique

Identity = tuple[str, str]  # source, external id


class Held(NamedTuple):
    """A file of the folder, and a digest of the entry in it (None: it is no valid one)."""

    path: Path
    digest: bytes | None


class MarkdownFolder:
    """Entries find their files by source and external id, wherever in the folder these are.

    A new one goes to `category/name.md`, of another source than the folder's to
    `source/category/name.md`. Names come from the external id alone, so that they are the same in
    every export; one that is no plain name has a digest behind it.

    Raises: SourceUnreadable for a file with front matter that can't be read; OSError.
    """

    def __init__(self, root: Path, source: str | None = None) -> None:
        self.root = root
        self._source = source or ""
        root.mkdir(parents=True, exist_ok=True)
        self._held: dict[Identity, Held] = {}
        self._unseen: set[Identity] = set()
        for path in of_folder(root):
            if path.suffix.lower() in MARKDOWN:
                self._find(path, source)
        self._owners = {held.path: identity for identity, held in self._held.items()}

    def put(self, entry: ImportedEntry) -> bool:
        """Write the entry, unless its file says so already. Whether that changed something."""
        identity = entry.source, str(entry.external_id)
        self._unseen.discard(identity)
        digest = _digest(entry)
        held = self._held.get(identity)
        if held is not None and held.digest == digest:
            return False
        path = held.path if held is not None else self._place(entry, identity)
        _replace(path, file_of(entry, told(str(path))))
        self._held[identity] = Held(path, digest)
        self._owners[path] = identity
        return True

    def unseen(self) -> list[Path]:
        """The files of entries that were not put; if the folder has a source, of that one."""
        return sorted(self._held[identity].path for identity in self._unseen)

    def _find(self, path: Path, source: str | None) -> None:
        text = path.read_bytes().decode(errors="replace")
        if not text.removeprefix("\ufeff").startswith("---"):
            return  # a text of another kind
        try:
            fields = parse(text, told(str(path)))
        except Unreadable as error:
            message = (
                f"{told(str(path))}:{error.line}: {error}. Mend or remove it; nothing was written."
            )
            raise SourceUnreadable(message) from None
        fields["source"] = fields.get("source") or self._source
        identity = str(fields["source"]), str(fields["external_id"])
        self._held.setdefault(identity, Held(path, _digest_of(fields)))
        if source is None or identity[0] == source:
            self._unseen.add(identity)

    def _place(self, entry: ImportedEntry, identity: Identity) -> Path:
        source, name = identity
        folder = self.root
        if source != self._source:
            folder /= source if PLAIN_FOLDER.fullmatch(source) else _unique(source)
        folder /= _slug(entry.category) or "category"
        stem = name.removeprefix(f"{folder.name}/")
        unique = folder / f"{_unique(name)}.md"
        plain = folder / f"{stem}.md"
        if not (PLAIN.fullmatch(stem) and is_source(plain.name)):
            return unique
        owner = self._owners.get(plain)
        if owner is not None and called(told(str(plain))) == name:
            # Its own name; the other one only sounds like it.
            other = folder / f"{_unique(owner[1])}.md"
            plain.replace(other)
            self._held[owner] = self._held[owner]._replace(path=other)
            self._owners[other] = owner
            return plain
        return unique if owner is not None or plain.exists() else plain


def _digest(entry: ImportedEntry) -> bytes:
    data = orjson.dumps(entry.model_dump(mode="json"), option=orjson.OPT_SORT_KEYS)
    return hashlib.blake2b(data, digest_size=16).digest()


def _digest_of(fields: Fields) -> bytes | None:
    try:
        return _digest(ExportedEntry(**fields))
    except ValidationError:
        return None


def _slug(text: str) -> str:
    words = re.sub(r"[^\w-]+", "-", unicodedata.normalize("NFC", text.casefold())).strip("-_")
    return words.encode()[:NAME_BYTES].decode(errors="ignore").rstrip("-_")


def _unique(name: str) -> str:
    """A name that no other one shares, on systems blind to case and composition too."""
    words = _slug(name).encode("ascii", "ignore").decode().strip("-_") or "entry"
    return f"{words}~{hashlib.blake2b(name.encode(), digest_size=5).hexdigest()}"


def _replace(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    staged = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        staged.write_bytes(text.encode())
        staged.replace(path)
    finally:
        staged.unlink(missing_ok=True)
