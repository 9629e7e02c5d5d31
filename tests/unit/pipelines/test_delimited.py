"""CSV: dialects, encodings, and records that are wrong."""

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.errors import EncodingUnknown, SourceUnreadable
from contracts.imports import ROW_BYTES, Reject
from pipelines.formats import delimited
from pipelines.formats.rows import make_reading
from pipelines.formats.source import SourceRow
from tests.unit.pipelines.reading import codes, found, notes, rows, titles

ONE = [{"title": "one", "problem": "a"}, {"title": "two", "problem": "b"}]


@pytest.mark.parametrize(
    "text",
    [
        "title,problem\none,a\ntwo,b\n",
        "title;problem\r\none;a\r\ntwo;b\r\n",
        "title\tproblem\none\ta\ntwo\tb",
        "title|problem\rone|a\rtwo|b\r",
        '"title","problem"\n"one","a"\n"two","b"\n',
        "'title';'problem'\n'one';'a'\n'two';'b'\n",
        "title,problem\n\n,\none,a\n\ntwo,b\n",
        "title , problem\none,a\ntwo,b\n",
    ],
)
def test_dialects_are_told_apart(text: str) -> None:
    """Delimiter, quotes and line ends are found out; empty records are passed over."""
    assert rows(text.encode(), "rows.csv") == ONE


def test_the_records_decide_not_the_header() -> None:
    """A header with two kinds of marks is read as the records under it are."""
    text = b"title;a,b,c\none;1\ntwo;2\n"
    assert rows(text, "rows.csv") == [
        {"title": "one", "a,b,c": "1"},
        {"title": "two", "a,b,c": "2"},
    ]
    text = b"title,when; where\none,a; b; c\ntwo,d\n"
    assert rows(text, "rows.csv")[1] == {"title": "two", "when; where": "d"}


def test_quotes_may_be_escaped() -> None:
    """Doubled, or with a backslash as databases write them."""
    assert rows(b'title,problem\n"one","a ""b"", c\nd"\n') == [
        {"title": "one", "problem": 'a "b", c\nd'}
    ]
    assert rows(b'title,problem\n"one","a \\"b, c\\" d"\n"two","e \\"f, g\\""\n') == [
        {"title": "one", "problem": 'a "b, c" d'},
        {"title": "two", "problem": 'e "f, g"'},
    ]


def test_an_apostrophe_is_no_quote() -> None:
    """Single quotes count as quotes only where whole records stand in them."""
    text = b"title,problem\nit's,'tis\n'n',don't\n"
    assert rows(text)[0] == {"title": "it's", "problem": "'tis"}


def test_a_delimiter_may_be_given() -> None:
    """One that is not looked for, or where looking would be wrong."""
    assert rows(b"title^problem\none^a\ntwo^b\n", "x.csv", delimiter="^") == ONE
    assert rows(b"a,b\tc\n1,2\t3\n", "x.csv", delimiter="\\t") == [{"a,b": "1,2", "c": "3"}]
    for wrong in ("", "ab", '"', "\n", "\0"):
        with pytest.raises(SourceUnreadable):
            found(b"a,b\n", delimiter=wrong)


@pytest.mark.parametrize(
    "encoding",
    ["utf-8", "utf-8-sig", "utf-16", "utf-32", "utf-16-le", "windows-1252", "cp1251", "shift_jis"],
)
def test_declared_encodings(encoding: str) -> None:
    """A declared encoding is used; a byte order mark tells more than the declaration."""
    text = "title,problem\nSтраница,テスト\n" if encoding.startswith("utf") else "title,problem\n"
    text += {"windows-1252": "Größe,é€\n", "cp1251": "Ошибка,да\n", "shift_jis": "障害,印刷\n"}.get(
        encoding, ""
    )
    expected = list(csv.DictReader(io.StringIO(text)))
    assert rows(text.encode(encoding), "rows.csv", encoding=encoding) == expected
    if encoding in ("utf-8-sig", "utf-16", "utf-32"):
        assert rows(text.encode(encoding), "rows.csv", encoding="latin-1") == expected
        assert rows(text.encode(encoding), "rows") == expected


@pytest.mark.parametrize(
    ("text", "encoding", "assumed"),
    [
        ("title,problem\nMünchen,x\n", "windows-1252", "cp1252"),
        ("title;problem\nStraße;“geschlossen” – déjà vu\n", "windows-1252", "cp1252"),
        ("title,problem\nОшибка принтера,Не печатает документ\n", "windows-1251", "cp1251"),
        ("title,problem\nプリンターエラー,印刷できません\n", "shift_jis", "cp932"),
        ("title,problem\nZażółć gęślą jaźń,błąd drukarki\n", "windows-1250", "cp1250"),
    ],
)
def test_undeclared_encodings_are_assumed_and_said(text: str, encoding: str, assumed: str) -> None:
    """A CSV that is not UTF-8 is read as what it looks like, with a note."""
    data = text.encode(encoding)
    assert notes(data) == [f"rows.csv is not UTF-8; it was read as {assumed}."]
    cells = next(csv.reader(text.splitlines()[1:], delimiter=text[5]))
    assert list(rows(data, "rows.csv")[0].values()) == cells
    assert notes(text.encode()) == []


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("name", ["rows.csv", "rows"])
def test_utf_16_without_a_mark_is_told_by_its_zeros(encoding: str, name: str) -> None:
    """Also where most of it is no ASCII; the report says what was assumed."""
    text = "title;problem\r\nSтраница;テスト\u3000障害\r\nzwei;Größe\r\n"
    expected = list(csv.DictReader(io.StringIO(text), delimiter=";"))
    assert rows(text.encode(encoding), name) == expected
    assert notes(text.encode(encoding)) == [
        f"rows.csv has no byte order mark; it was read as {encoding}."
    ]
    assert rows('{"title": "é"}\n'.encode(encoding), "x.ndjson") == [{"title": "é"}]


def test_a_text_with_zeros_is_not_utf_16() -> None:
    """A few in cells, or on both sides of what would be characters."""
    for data in (
        b"title,problem\n" + b"ab\0c,\0\0\0\n" * 9,
        b"ti\0tle,problem\n" + b"ab\0,c\n" * 9,
        b"\0\0\0\0;title\nabc;d\n",
    ):
        assert len(rows(data, "rows.csv")) in (1, 9)
        assert notes(data) == []


def test_an_unknown_encoding_is_an_error() -> None:
    """A name that is no text encoding is refused before anything is read."""
    for name in ("nonsense", "rot13", "base64", "a\0b", "undefined"):
        with pytest.raises(EncodingUnknown):
            found(b"a,b\n", encoding=name)


def test_a_wrong_byte_is_one_reject() -> None:
    """Behind the sample a byte that is not UTF-8 costs its own record only."""
    filler = b"".join(b"row %d,x\n" % n for n in range(9000))
    data = b"title,problem\n" + filler + b"bad,\xff\xfe\ngood,y\n"
    assert titles(data, "rows.csv")[-2:] == ["ENCODING_UNREADABLE", "good"]
    declared = b"title,problem\nbad,\x81\ngood,y\n"
    assert titles(declared, "x.csv", encoding="windows-1252") == ["ENCODING_UNREADABLE", "good"]
    cut = "title,problem\none,a\n".encode("utf-16") + b"\x41"
    assert titles(cut) == ["one", "SOURCE_CUT_SHORT"]
    lone = "title,problem\n\ud800,a\ntwo,b\n".encode("utf-16-le", "surrogatepass")
    assert titles(lone, "x.csv", encoding="utf-16-le") == ["ENCODING_UNREADABLE", "two"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"title,problem\none\ntwo,b,c\nthree,d\n", ["CSV_RAGGED", "CSV_RAGGED", "three"]),
        (b'title,problem\n"a"b,c\ntwo,d\n', ["CSV_UNREADABLE", "two"]),
        (b'title,problem\none,a\n"two,b\n', ["one", "CSV_UNREADABLE"]),
        (b"title,title\none,two\n", ["CSV_HEADER"]),
        (b'"title,problem\none,two\n', ["CSV_UNREADABLE"]),
        (b"title\n", []),
        (b"\n\n\n", []),
        (b"title,problem\na\0b,c\n", ["a\0b"]),
    ],
)
def test_wrong_records(text: bytes, expected: list[str]) -> None:
    """Each is a reject of its own; without a header nothing can be read."""
    assert titles(text, "rows.csv") == expected


@pytest.mark.parametrize(
    "long",
    [
        b"a," + b"x" * (ROW_BYTES + 10),
        b"a," * ROW_BYTES,
        b"a," + b"x" * 10_000_000,
    ],
)
def test_a_record_that_is_too_long_is_passed_over(long: bytes) -> None:
    """One cell or many: rejected, and what follows is read."""
    everything = titles(b"title,problem\n" + long + b"\nlast,b\n", "rows.csv")
    assert everything[-1] == "last"
    assert set(everything[:-1]) <= {"CSV_UNREADABLE", "ROW_TOO_LARGE", "CSV_RAGGED"}
    assert everything[0] in ("CSV_UNREADABLE", "ROW_TOO_LARGE")


def test_a_record_of_endless_lines_is_not_held() -> None:
    """Quoted newlines without end are a reject; behind it quotes open and close as they may."""
    data = b"title,problem\nfirst,a\n" + b'"x\n",' * (ROW_BYTES // 2)
    first, long, *rest = titles(data, "rows.csv")
    assert (first, long, set(rest)) == ("first", "ROW_TOO_LARGE", {"CSV_UNREADABLE"})


@pytest.mark.parametrize(
    ("wrong", "behind"),
    [
        (b'"two,b', b"three,c\nfour,d\n"),  # open to the end
        (b'two,"b', b'three,"c"\nfour,"d\ne"\n'),  # up to the next quote
        (b'"two\n",b,"c', b"three,c\nfour,d\n"),  # opened on its second line
        (b'two,"b\nthree,"c', b"four,d\n"),  # two of them
        (b'"two,b', b"three,c\n" * (2 * ROW_BYTES // 8)),  # longer than a record may be
    ],
)
def test_a_quote_left_open_takes_no_record_along(wrong: bytes, behind: bytes) -> None:
    """The records behind its line are read, each under the line where it ends."""
    everything = found(b"title,problem\none,a\n" + wrong + b"\n" + behind, "x.csv")
    rejects = [one for one in everything if isinstance(one, Reject)]
    assert {one.line for one in rejects} == set(range(3, 4 + wrong.count(b"\n")))
    assert "lines 3 to " in rejects[0].message
    expected = rows(b"title,problem\none,a\n" + behind, "x.csv")
    assert [one.data for one in everything if isinstance(one, SourceRow)] == expected
    assert len({one.line for one in everything}) == len(everything)
    assert everything[-1].line == 3 + (wrong + behind).count(b"\n")


def test_quotes_left_open_in_all_lines_are_not_followed_from_each(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each of these lines opens a quote that the next one opens again: lines read stay few."""
    lines, given = 5_000, 0
    real = delimited._Lines.__next__

    def counted(self: delimited._Lines) -> str:
        nonlocal given
        given += 1
        return real(self)

    monkeypatch.setattr(delimited._Lines, "__next__", counted)
    monkeypatch.setattr(delimited, "LONGEST", 3_000)
    everything = found(b"title,problem\nfirst,a\n" + b'a","b\n' * lines, "x.csv")
    assert everything[0].line == 2
    assert {one.code for one in everything[1:] if isinstance(one, Reject)} <= {
        "ROW_TOO_LARGE",
        "CSV_UNREADABLE",
    }
    assert lines < given < (delimited.AGAIN + 2) * lines


@pytest.mark.parametrize("first", ["sep=^", '"sep=^"', "SEP=^"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_line_for_spreadsheets_says_the_delimiter(first: str, end: str) -> None:
    """Excel's `sep=` is no header; lines count from it, and what is asked for tells more."""
    text = f"{first}\ntitle^problem\none, two^a;b\n".replace("\n", end)
    (row,) = found(text.encode(), "x.csv")
    assert isinstance(row, SourceRow)
    assert (row.line, row.data) == (3, {"title": "one, two", "problem": "a;b"})
    assert codes(text.encode(), "x.csv", delimiter=",") == [(3, "CSV_RAGGED")]


def test_a_cut_file_ends_in_a_reject() -> None:
    """Cut within a record: its cells are missing or its quote is open."""
    whole = b'title,problem,solution\none,"a, b",c\ntwo,"d, e",f\n'
    for cut in range(len(whole) - 9, len(whole) - 3):
        assert titles(whole[:cut], "x.csv")[0] == "one"
        assert len(codes(whole[:cut], "x.csv")) == 1


CELL = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
TABLE = st.integers(2, 5).flatmap(
    lambda width: st.lists(
        st.lists(CELL, min_size=width, max_size=width).filter(any), min_size=1, max_size=8
    )
)


@settings(max_examples=150)
@given(
    TABLE,
    st.sampled_from([",", ";", "\t", "|"]),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
def test_what_the_csv_module_writes_is_read(
    table: list[list[str]], delimiter: str, end: str, quoting: int, encoding: str
) -> None:
    """With its delimiter named, whatever a table holds comes back cell by cell."""
    if quoting == csv.QUOTE_MINIMAL:  # it leaves an end of line unquoted that is not its own
        table = [[cell.replace("\r", "x") for cell in record] for record in table]
    header = [f"name{n}" for n in range(len(table[0]))]
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, lineterminator=end, quoting=quoting)  # type: ignore[arg-type]
    writer.writerows([header, *table])
    data = text.getvalue().encode(encoding)
    expected = [
        {name: cell for name, cell in zip(header, record, strict=True) if cell} for record in table
    ]
    assert rows(data, "t.csv", delimiter=delimiter) == expected


@settings(max_examples=100)
@given(
    st.lists(st.text("ab ,;|\t\n\"'", max_size=8).map(lambda t: f"x{t}"), min_size=3, max_size=30),
    st.sampled_from([",", ";", "\t", "|"]),
)
def test_quoted_tables_are_read_without_being_told_how(cells: list[str], delimiter: str) -> None:
    """Where all is quoted, nothing in the cells can mislead."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, quoting=csv.QUOTE_ALL)
    table = [cells[at : at + 3] for at in range(0, len(cells) - len(cells) % 3, 3)]
    writer.writerows([["one", "two", "three"], *table])
    taken = rows(text.getvalue().encode(), "t.csv")
    assert [list(row.values()) for row in taken] == table


EBCDIC = "title,problem,external_id\x85First [row],a^b,1\x85Second row,pb,2\x85"


@pytest.mark.parametrize("encoding", ["cp037", "cp500", "cp1140", "cp273"])
def test_lines_of_ebcdic_end_with_nel(encoding: str) -> None:
    """As z/OS unloads them; those with LF are read as before."""
    expected = list(csv.DictReader(io.StringIO(EBCDIC.replace("\x85", "\n"))))
    for end in ("\x85", "\n", "\r\x85"):
        data = EBCDIC.replace("\x85", end).encode(encoding)
        assert rows(data, "rows.csv", encoding=encoding) == expected


@pytest.mark.parametrize("encoding", ["cp1047", "IBM-1047", "ibm1047"])
def test_the_usual_encoding_of_z_os(encoding: str) -> None:
    """Python has none; it is cp037 with other places for brackets and circumflex."""
    data = EBCDIC.encode("cp037").translate(bytes.maketrans(b"\xba\xbb\xb0", b"\xad\xbd\x5f"))
    first, _ = rows(data, "rows.csv", encoding=encoding)
    assert (first["title"], first["problem"]) == ("First [row]", "a^b")


def test_nel_is_no_line_end_elsewhere() -> None:
    """In Unicode it is a character among others, and in windows-1252 an ellipsis."""
    assert rows("title\nof \x85 NEL\n".encode(), "rows.csv") == [{"title": "of \x85 NEL"}]
    assert rows(b"title\nwait\x85\n", "rows.csv", encoding="cp1252") == [{"title": "wait…"}]
    for wide in ("utf-16", "utf-16-le", "utf-32-be"):
        data = "title\nof \x85 NEL\n".encode(wide)
        assert rows(data, "rows.csv", encoding=wide) == [{"title": "of \x85 NEL"}]


def test_a_header_alone_is_told() -> None:
    """Lines that end as nobody knows are one header: that is how rows get lost."""
    alone = ["rows.csv is read as a CSV, and has a header and no row."]
    assert notes(b"title,problem\n") == notes(b"title,problem") == alone
    assert notes(b"title,problem\x1eone,a\x1etwo,b\x1e") == alone
    assert notes(b"title,problem\none,a\n") == notes(b"title,problem\none\n") == notes(b"") == []


def test_a_line_feed_in_a_cell_of_lines_that_end_with_cr() -> None:
    """As Excel saves it on a Mac."""
    text = 'title,problem\r"one","first\nsecond"\r"two","x"\r'
    for data in (text.encode(), text.encode("utf-16-le")):
        assert [row["problem"] for row in rows(data, "rows.csv")] == ["first\nsecond", "x"]


DEL = b""""S0C7 in PAYROLL","Data exception, packed","E1",+0000012.30,20250101,\r
"Two","b","E2",+1,,\r
"""


def test_columns_may_be_named() -> None:
    """Of a file without a header, as DB2 unloads it; a cell that nobody wants has no name."""
    named = rows(DEL, "db2.del", columns="title, problem,external_id,,,")
    assert named == [
        {"title": "S0C7 in PAYROLL", "problem": "Data exception, packed", "external_id": "E1"},
        {"title": "Two", "problem": "b", "external_id": "E2"},
    ]
    assert codes(DEL, "db2.del", columns="title,problem") == [(1, "CSV_RAGGED"), (2, "CSV_RAGGED")]
    assert rows(b"", "x.csv", columns="title") == []
    assert [row["title"] for row in rows(b"one\ntwo\n", "x.csv", columns="title")] == ["one", "two"]


def test_a_header_may_be_there_although_columns_are_named() -> None:
    """A first line that has all names: of a file that has one after all, or of its rejects."""
    data = b"title,problem,_raw,_reject\none,a,,no\ntitle,problem,,\n"
    first, second = rows(data, "x.csv", columns="title,problem,")
    assert (first["title"], first["_reject"], second["title"]) == ("one", "no", "title")


@pytest.mark.parametrize("wrong", ["title,title", ",,", ""])
def test_columns_that_are_none(wrong: str) -> None:
    """Said before anything is read."""
    with pytest.raises(SourceUnreadable, match="columns"):
        make_reading(columns=wrong)


@pytest.mark.parametrize(
    "text",
    [
        'title, problem, external_id\r\n"t one", "p,1", 1\r\n"t two", "p 2", 2 \r\n',
        'title,problem,external_id\n"t one", "p,1",1\nt two, "p 2", 2\n',
        "title; problem; external_id\nt one; p,1; 1\nt two; p 2; 2\n",
        "title; problem; external_id\r\nt one; p,1; 1\r\nt two; p 2; 2\r\n",
        "'title', 'problem', 'external_id'\n't one', 'p,1', '1'\n't two', 'p 2', '2'\n",
    ],
)
def test_blanks_behind_delimiters_are_no_part_of_cells(text: str) -> None:
    """Where a quote follows one, or all names of the header are written so."""
    assert rows(text.encode(), "rows.csv") == [
        {"title": "t one", "problem": "p,1", "external_id": "1"},
        {"title": "t two", "problem": "p 2", "external_id": "2"},
    ]


def test_blanks_stay_where_delimiters_have_none() -> None:
    """Texts may begin with them; names of entries don't."""
    text = b'title;problem;_id\n a;" b, ""c""; d"; 1 \nof a, "b";\tc; \n'
    assert rows(text, "rows.csv") == [
        {"title": " a", "problem": ' b, "c"; d', "_id": "1"},
        {"title": 'of a, "b"', "problem": "\tc"},
    ]


def test_the_mark_of_dos_for_an_end_is_no_record() -> None:
    """Some tools still write it behind the last line."""
    assert rows(b"title,problem\r\none,a\r\ntwo,b\r\n\x1a", "rows.csv") == ONE
    assert rows(b'{"title": "one"}\r\n\x1a', "rows.ndjson") == [{"title": "one"}]
