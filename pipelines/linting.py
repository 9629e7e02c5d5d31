"""A folder of entries judged before it is imported: each by itself, then all together."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from pydantic import ValidationError

from actors.likeness import alike
from contracts.base import field_errors
from contracts.entries import PRESET_CATEGORIES
from contracts.errors import SourceUnreadable
from contracts.imports import ImportedEntry
from contracts.links import ORDERED, circles
from pipelines.formats.front_matter import Unreadable
from pipelines.formats.markdown import Document, called, read
from pipelines.formats.paths import CODES, MARKDOWN, of_folder, told
from pipelines.meant import meant

#: Of their pairs of words: from there on two entries should be one. In the sample, which has many
#: on like subjects, no two share a fifth.
ALIKE = 0.5

#: What an entry says beside its problem and its steps, and where.
PARTS = (
    ("problem", "How to recognise it"),
    ("solution", "Likely causes"),
    ("solution", "Check that it is solved"),
)
PART = re.compile(r"\*\*(.+?):?\*\*")
STEP = re.compile(r"(\d+)\. ")
FENCE = re.compile(r"\s*(```|~~~)")


@dataclass(frozen=True, order=True)
class Finding:
    """What is wrong, and where; `line` counts from 1."""

    file: str
    line: int
    code: str
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.code} {self.message}"


@dataclass(frozen=True)
class Rules:
    """What entries may name."""

    categories: frozenset[str] = frozenset(name for _, name, _ in PRESET_CATEGORIES)
    #: None: any code.
    codes: frozenset[str] | None = None
    ignored: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Page:
    """A file that holds a valid entry."""

    file: str
    text: str
    document: Document
    entry: ImportedEntry

    @property
    def name(self) -> str:
        """Its external id: every file has one."""
        return self.entry.external_id or ""

    def finding(self, field: str, code: str, message: str) -> Finding:
        """A finding at the line of a field or section."""
        return Finding(self.file, self.document.lines.get(field, 1), code, message)

    def lines(self, section: str) -> Iterator[tuple[int, str]]:
        """The numbered lines of a section, without what stands in fences."""
        begin = self.document.lines.get(section, 0)
        later = [line for line in self._headings if line > begin]
        fence = ""
        for number, line in enumerate(self.text.splitlines()[begin : min(later, default=1) - 1], 1):
            found = FENCE.match(line)
            if found and fence in ("", found[1]):
                fence = "" if fence else found[1]
            elif not fence:
                yield begin + number, line

    @property
    def _headings(self) -> list[int]:
        lines = self.document.lines
        return [lines[name] for name in ("problem", "solution") if name in lines] + [
            len(self.text.splitlines()) + 1
        ]


def rules_for(
    folder: Path,
    codes: Path | None = None,
    categories: Iterable[str] = (),
    ignored: Iterable[str] = (),
) -> Rules:
    """The rules of a folder; without `codes` its own list of them, if it has one.

    Raises: SourceUnreadable.
    """
    own = folder / CODES
    listed = codes or (own if own.is_file() else None)
    return Rules(
        categories=Rules.categories | frozenset(categories),
        codes=None if listed is None else _codes_of(listed),
        ignored=frozenset(ignored),
    )


def _codes_of(file: Path) -> frozenset[str]:
    """The first column of a table with a header: code, kind, meaning."""
    try:
        rows = file.read_text(encoding="utf-8").splitlines()[1:]
    except (OSError, UnicodeDecodeError) as error:
        raise SourceUnreadable(f"{file} can't be read: {error}") from None
    return frozenset(row.split("\t", 1)[0].strip() for row in rows)


def lint(folder: Path, rules: Rules) -> tuple[int, list[Finding]]:
    """How many files were looked at, and what is wrong with them, by file and line.

    Raises: SourceUnreadable for a folder without Markdown.
    """
    files = [file for file in of_folder(folder) if file.suffix.lower() in MARKDOWN]
    if not files:
        raise SourceUnreadable(f"{folder} has no Markdown files.")
    found: list[Finding] = []
    pages, broken = [], set[str]()
    for file in files:
        page = _page(file)
        if isinstance(page, Page):
            pages.append(page)
            found += [*_parts(page), *_steps(page), *_category(page, rules), *_codes(page, rules)]
        else:
            broken.add(called(told(str(file.resolve()))))
            found += page
    found += [*_twins(pages), *_links(pages, broken), *_circles(pages)]
    return len(files), sorted({one for one in found if one.code not in rules.ignored})


def _page(file: Path) -> Page | list[Finding]:
    name = told(str(file))
    try:
        text = file.read_bytes().decode()
        document = read(text, told(str(file.resolve())))
    except UnicodeDecodeError as error:
        return [Finding(name, 1, "ENCODING_UNREADABLE", f"is not UTF-8: {error}")]
    except OSError as error:
        return [Finding(name, 1, "FILE_UNREADABLE", str(error))]
    except Unreadable as error:
        return [Finding(name, error.line, "MARKDOWN_UNREADABLE", str(error))]
    given = {field: value for field, value in document.fields.items() if value is not None}
    try:
        return Page(name, text, document, ImportedEntry(**given))
    except ValidationError as error:
        errors = field_errors(error.errors(include_url=False, include_context=False))
        return [
            Finding(
                name,
                document.lines.get(one["field"].partition(".")[0], 1),
                "FIELD_INVALID",
                f"{one['field']}: {one['message']}",
            )
            for one in errors
        ]


def _parts(page: Page) -> Iterator[Finding]:
    if not page.entry.problem.strip():
        yield page.finding("problem", "PART_MISSING", "there is no problem")
    for section, part in PARTS:
        found = (PART.match(line) for _, line in page.lines(section))
        if not any(match and match[1] == part for match in found):
            yield page.finding(section, "PART_MISSING", f"there is no **{part}** in the {section}")


def _steps(page: Page) -> Iterator[Finding]:
    steps = ((line, STEP.match(text)) for line, text in page.lines("solution"))
    numbered = [(line, int(match[1])) for line, match in steps if match]
    if not numbered:
        yield page.finding("solution", "PART_MISSING", "there are no numbered steps")
    for due, (line, number) in enumerate(numbered, 1):
        if number != due:
            message = f"step {number} stands where {due} is due"
            yield Finding(page.file, line, "STEPS_OUT_OF_ORDER", message)
            return


def _category(page: Page, rules: Rules) -> Iterator[Finding]:
    name = page.entry.category
    if name not in rules.categories:
        message = f"{name} is none that is known{meant(name, rules.categories)}"
        yield page.finding("category", "CATEGORY_UNKNOWN", message)


def _codes(page: Page, rules: Rules) -> Iterator[Finding]:
    codes = page.entry.custom.get("codes")
    if rules.codes is None or not isinstance(codes, list):
        return
    for code in codes:
        if code not in rules.codes:
            message = f"{code} is not in the list{meant(str(code), rules.codes)}"
            yield page.finding("codes", "CODE_UNKNOWN", message)


def _twins(pages: list[Page]) -> Iterator[Finding]:
    names: dict[tuple[str, str], Page] = {}
    titles: dict[str, Page] = {}
    for page in pages:
        first = names.setdefault((page.entry.source, page.name), page)
        if first is not page:
            message = f"{page.name} is the external id of {first.file} already"
            yield page.finding("external_id", "ID_TAKEN", message)
        first = titles.setdefault(" ".join(page.entry.title.casefold().split()), page)
        if first is not page:
            yield page.finding("title", "TITLE_TAKEN", f"{first.file} has this title already")
    files = {page.file: page for page in pages}
    texts = {
        page.file: "\n".join((page.entry.title, page.entry.problem, page.entry.solution))
        for page in pages
    }
    for first_file, file, shared in alike(texts, ALIKE):
        message = f"shares {shared:.0%} of its pairs of words with {first_file}"
        yield files[file].finding("problem", "TEXT_ALIKE", message)


def _links(pages: list[Page], broken: set[str]) -> Iterator[Finding]:
    """Links that lead nowhere; a file that can't be read is there all the same."""
    names = {(page.entry.source, page.name) for page in pages}
    for page in pages:
        for link in page.entry.related:
            if (page.entry.source, link.to) not in names and link.to not in broken:
                near = [name for source, name in names if source == page.entry.source]
                message = f"there is no entry {link.to}{meant(link.to, near)}"
                yield page.finding("related", "LINK_NOWHERE", message)


def _circles(pages: list[Page]) -> Iterator[Finding]:
    """Reported where each circle begins."""
    where = {(page.entry.source, page.name): page for page in pages}
    arrows = sorted(
        (page.entry.source, link.kind, page.name, link.to)
        for page in pages
        for link in page.entry.related
        if link.kind in ORDERED
    )
    for (source, kind), group in groupby(arrows, key=lambda arrow: arrow[:2]):
        for circle in circles(arrow[2:] for arrow in group):
            way = " → ".join([*circle, circle[0]])
            yield where[source, circle[0]].finding("related", "LINK_CIRCULAR", f"{kind}: {way}")
