"""Every code that the sample is about, in every form in which people write it, finds its entry."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest

from contracts.position import Position
from contracts.search import SearchQuery
from deploy.local import SAMPLE
from pipelines.formats.markdown import parse
from storage.index.codes import find_codes, listed_codes
from storage.index.searcher import IndexReader
from storage.index.writer import IndexDocument, IndexWriter

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def system_abend(code: str) -> Iterator[str]:
    """S0C7"""
    number = code[1:]
    yield from (code, code.lower(), f"ABEND={code}", f"ABEND {code}", f"abend {number.lower()}")
    yield from (f"{code}-04", f"ABEND={number}", f"abended with {code}", f"abend code {number}")
    yield from (number, f"system completion code {number}", f"SYSTEM COMPLETION CODE={number}")
    yield f"COMPLETION CODE - SYSTEM={number} USER=0000 REASON=00000000"
    if not number.isalpha():
        yield from (f"SYSTEM {number}", f"S {number}", f"S-{number}")
    yield f"IEF450I PAYJOB1 STEP010 - ABEND={code} U0000 REASON=00000004"


def user_abend(code: str) -> Iterator[str]:
    """U4038"""
    number = code[1:]
    yield from (code, code.lower(), f"ABEND {code}", f"ABEND={code}", f"user abend {number}")
    yield from (f"U{int(number)}", f"user abend {int(number)}", f"S000 {code}")
    yield f"COMPLETION CODE - SYSTEM=000 USER={number}"
    yield from (f"U {number}", f"abended user {int(number)}")
    yield f"IEF450I PAYJOB1 STEP010 - ABEND=S000 {code} REASON=00000000"


def cics_abend(code: str) -> Iterator[str]:
    """AEY9"""
    yield from (code, code.lower(), f"ABEND {code}", f"abend code {code}", f"ABCODE={code}")
    yield from (f"code:{code}", f"transaction abended with {code}", f"{code} in CICS")


def eib_resp(code: str) -> Iterator[str]:
    """13"""
    yield from (f"EIBRESP {code}", f"EIBRESP={code}", f"RESP({code})", f"RESP={code}")
    yield from (f"resp code {code}", f"eibresp is {code}", f"CICS RESP {code}")
    yield from (f"DFHRESP({code})", f"EIBRESP={int(code):08}")


def file_status(code: str) -> Iterator[str]:
    """35"""
    yield from (f"FILE STATUS {code}", f"file status = '{code}'", f"FILE STATUS={code}")
    yield from (f"status {code}", f"FS {code}", f"FS={code}", f"FS{code}", f"FILE-STATUS {code}")
    yield f"FILE STATUS 0{code}"
    yield from (f"file status is {code}", f"WS-FILE-STATUS = {code}", f"FILE STATUS ({code})")


def ims_status(code: str) -> Iterator[str]:
    """GE"""
    yield from (f"IMS STATUS {code}", f"ims status code {code}", f"PCB STATUS CODE={code}")
    yield from (f"status code '{code}'", f"DL/I status code {code}", f"PCB STATUS {code}")


def sqlcode(code: str) -> Iterator[str]:
    """-805"""
    number = code[1:]
    yield from (code, f"SQLCODE {code}", f"SQLCODE={code}", f"SQLCODE = {code}", f"SQL{code}")
    yield from (f"sqlcode: {code}", f"SQLCODE IS {code}", f"SQL CODE {code}", f"DB2 {code}")
    yield from (f"DSNT408I SQLCODE = {code}, ERROR: SOMETHING", f"SQLCODE({code})", f'"{code}"')
    yield f"SQL{number:0>4}{'N' if code[0] == '-' else 'W'}"
    yield from (f"SQLCODE: {code[0]}{number:0>9}", f"SQLCODE = {code[0]}{number:0>10}")
    if code[0] == "-":
        yield from (f"SQLCODE {number}", f"SQLCODE \u2212{number}")
        yield from (f"SQL{number}N", f"sqlcode minus {number}", f"minus {number}")


def message(code: str) -> Iterator[str]:
    """IEF450I"""
    yield from (code, code.lower(), f"{code} PAYJOB1 STEP010", f"message {code}", f"+{code}")


FORMS = {
    "system-abend": system_abend,
    "user-abend": user_abend,
    "cics-abend": cics_abend,
    "eib-resp": eib_resp,
    "file-status": file_status,
    "ims-status": ims_status,
    "sqlcode": sqlcode,
    "jcl-message": message,
    "message": message,
}
#: How a code of a kind is named where it needs a word beside it.
NAMED = {"eib-resp": "EIBRESP {}", "file-status": "FILE STATUS {}", "ims-status": "IMS status {}"}


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> tuple[IndexReader, dict[str, str]]:
    """The sample's index, and the titles of its entries by id."""
    root: Path = tmp_path_factory.mktemp("index")
    documents = []
    for file in sorted(SAMPLE.rglob("*.md")):
        row = parse(file.read_text(), str(file))
        documents.append(
            IndexDocument(
                id=row["external_id"],
                title=row["title"],
                problem=row["problem"],
                solution=row["solution"],
                category=row["category"],
                severity=row["severity"],
                tags=row["tags"],
                version=1,
                updated_at=NOW,
                codes=listed_codes((row.get("custom") or {}).get("codes")),
            )
        )
    writer = IndexWriter.build_new(root)
    writer.apply(documents, ())
    writer.commit(Position("e", 1, 1))
    writer.close()
    return IndexReader(root), {document.id: document.title for document in documents}


def codes_of_the_sample(titles: dict[str, str]) -> list[tuple[str, str]]:
    """`(kind, code)` of each fact that a title of the sample names."""
    named = {code for title in titles.values() for code in find_codes(title)}
    lines = (SAMPLE / "codes.tsv").read_text().splitlines()[1:]
    facts = [tuple(line.split("\t")[:2]) for line in lines]
    return [
        (kind, code)
        for code, kind in facts
        if kind in FORMS and set(find_codes(NAMED.get(kind, "{}").format(code))) & named
    ]


def test_every_form_of_every_code_finds_its_entry_first(
    sample: tuple[IndexReader, dict[str, str]],
) -> None:
    """The first hit has the code in its title, however it was written."""
    reader, titles = sample
    codes = codes_of_the_sample(titles)
    assert len(codes) > 300
    wrong = []
    for kind, code in codes:
        wanted = set(find_codes(NAMED.get(kind, "{}").format(code)))
        for form in FORMS[kind](code):
            reply = orjson.loads(reader.search(SearchQuery(q=form, limit=1, highlight=False)))
            first = titles[reply["hits"][0]["id"]] if reply["hits"] else ""
            if not wanted & set(find_codes(first)):
                wrong.append((form, first))
    assert not wrong, "\n".join(map(str, wrong[:20]))
