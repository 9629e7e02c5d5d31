"""JSON as it should not be, alone on a line and within an array: what becomes of each."""

import io
import json
import random
from typing import Any

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from contracts.errors import UnsupportedFormat
from contracts.imports import ROW_BYTES
from contracts.mappings import Shape
from pipelines.chunks import cut
from pipelines.formats.rows import Format, Reading, read
from pipelines.formats.values import Values
from tests.unit.pipelines.reading import codes, found, rows, titles

GOOD = b'{"title": "good"}'

#: What stands for a row → the code of its reject, or the data it becomes.
ODD: list[tuple[str, bytes, Any]] = [
    ("brackets, opened", b"[" * 100_000, "JSON_UNREADABLE"),
    ("brackets, nested", b"[" * 100_000 + b"]" * 100_000, "JSON_UNREADABLE"),
    ("objects, nested", b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "JSON_UNREADABLE"),
    ("just deep enough", b'{"a":' * 200 + b"1" + b"}" * 200, None),
    ("a number of 400 digits", b'{"a": ' + b"9" * 400 + b"}", "JSON_UNREADABLE"),
    ("an exponent beyond", b'{"a": 1e400}', "JSON_UNREADABLE"),
    ("an exponent beneath", b'{"a": 1e-400}', {"a": 0.0}),
    ("over 64 bits", b'{"a": 18446744073709551616}', {"a": 18446744073709551616.0}),
    ("minus zero", b'{"a": -0.0}', {"a": -0.0}),
    ("a leading zero", b'{"a": 012}', "JSON_UNREADABLE"),
    ("a leading plus", b'{"a": +1}', "JSON_UNREADABLE"),
    ("hexadecimal", b'{"a": 0x1F}', "JSON_UNREADABLE"),
    ("NaN", b'{"a": NaN}', "JSON_UNREADABLE"),
    ("Infinity", b'{"a": -Infinity}', "JSON_UNREADABLE"),
    ("a bare point", b'{"a": 1.}', "JSON_UNREADABLE"),
    ("one name twice", b'{"a": 1, "a": 2}', {"a": 2}),
    ("one name twice, escaped", b'{"a": 1, "\\u0061": 2}', {"a": 2}),
    ("no name", b'{"": 1}', {"": 1}),
    ("a lone surrogate", b'{"a": "\\ud800"}', "JSON_UNREADABLE"),
    ("surrogates, turned round", b'{"a": "\\udc00\\ud800"}', "JSON_UNREADABLE"),
    ("a surrogate in bytes", b'{"a": "\xed\xa0\x80"}', "ENCODING_UNREADABLE"),
    ("an overlong slash", b'{"a": "\xc0\xaf"}', "ENCODING_UNREADABLE"),
    ("a byte of Latin-1", b'{"a": "\xe9"}', "ENCODING_UNREADABLE"),
    ("beyond Unicode", b'{"a": "\xf4\x90\x80\x80"}', "ENCODING_UNREADABLE"),
    ("NUL, escaped", b'{"a": "\\u0000"}', {"a": "\0"}),
    ("NUL, raw", b'{"a": "\0"}', "JSON_UNREADABLE"),
    ("a raw tab", b'{"a": "\t"}', "JSON_UNREADABLE"),
    ("an unknown escape", b'{"a": "\\x"}', "JSON_UNREADABLE"),
    ("single quotes", b"{'a': 1}", "JSON_UNREADABLE"),
    ("no quotes", b"{a: 1}", "JSON_UNREADABLE"),
    ("a comment", b'{"a": 1 /* one */}', "JSON_UNREADABLE"),
    ("a comma at the end", b'{"a": 1,}', "JSON_UNREADABLE"),
    ("no colon", b'{"a" 1}', "JSON_UNREADABLE"),
    ("brackets crossed", b'{"a": [1}', "JSON_UNREADABLE"),
    ("null", b"null", "NOT_AN_OBJECT"),
    ("a number", b"1", "NOT_AN_OBJECT"),
    ("a text", b'"title"', "NOT_AN_OBJECT"),
    ("a list", b'["title"]', "NOT_AN_OBJECT"),
    ("True", b"True", "JSON_UNREADABLE"),
    ("brackets in a text", b'{"a": "]}[{\\"]}"}', {"a": ']}[{"]}'}),
    ("a backslash at the end", b'{"a": "\\\\"}', {"a": "\\"}),
    ("all planes", '{"a": "é✓🎉"}'.encode(), {"a": "é✓🎉"}),
]

#: After these an array can't be read any further.
ENDS_AN_ARRAY = {"brackets, opened", "brackets crossed"}


def outcome(one: Any) -> Any:
    """A row's data or a reject's code."""
    return getattr(one, "code", None) or one.data


@pytest.mark.parametrize(("text", "expected"), [o[1:] for o in ODD], ids=[o[0] for o in ODD])
def test_odd_lines(text: bytes, expected: Any) -> None:
    """On a line of its own each is a row or a reject, and its neighbours are rows."""
    first, odd, last = found(GOOD + b"\n" + text + b"\n" + GOOD + b"\n", "x.ndjson")
    assert outcome(first) == outcome(last) == {"title": "good"}
    assert odd.line == 2
    assert outcome(odd) == expected if expected is not None else outcome(odd)["a"]


@pytest.mark.parametrize(("name", "text", "expected"), ODD, ids=[o[0] for o in ODD])
def test_odd_items(name: str, text: bytes, expected: Any) -> None:
    """In an array too, unless its brackets take the rest of the array with them."""
    everything = found(b"[" + GOOD + b"," + text + b"," + GOOD + b"]")
    assert outcome(everything[0]) == {"title": "good"}
    if name in ENDS_AN_ARRAY:
        assert {outcome(one) for one in everything[1:]} == {"JSON_UNREADABLE"}
        return
    _, odd, last = everything
    assert (outcome(last), odd.line) == ({"title": "good"}, 2)
    assert outcome(odd) == expected if expected is not None else outcome(odd)["a"]


@pytest.mark.parametrize("first", [b"[" * 100_000, b"[" * 50 + b"]" * 50, b'["title"]', b"[1, 2]"])
def test_a_first_line_that_is_a_list_makes_no_array_of_the_lines(first: bytes) -> None:
    """What is called NDJSON stays that, unless it begins as an array of objects does."""
    data = first + b"\n" + (GOOD + b"\n") * 3
    assert titles(data, "x.ndjson")[1:] == ["good"] * 3
    for array in (b"[" + GOOD + b",\n" + GOOD + b"]\n", b"[\n" + GOOD + b"\n]", b"[]"):
        assert set(titles(array, "x.ndjson")) <= {"good"}


def test_what_json_reads_and_cannot_be_sent_is_rejected() -> None:
    """Deeper than our encoder goes: a reject of the chunk, not an exception."""
    (chunk,) = cut(found(b'{"a":' * 1000 + b"1" + b"}" * 1000 + b"\n" + GOOD, "x.ndjson"), Shape())
    assert [reject.code for reject in chunk.rejects] == ["ROW_UNREADABLE"]
    assert len(chunk.rows) == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"[", ["JSON_UNREADABLE"]),
        (b"[]", []),
        (b" [ ] ", []),
        (b"[" + GOOD, ["good", "JSON_UNREADABLE"]),
        (b"[" + GOOD + b",", ["good", "JSON_UNREADABLE"]),
        (b"[" + GOOD + b",]", ["good", "JSON_UNREADABLE"]),
        (b"[," + GOOD + b"]", ["JSON_UNREADABLE"]),
        (b"[" + GOOD + GOOD + b"]", ["good", "JSON_UNREADABLE"]),
        (b"[" + GOOD + b":" + GOOD + b"]", ["good", "JSON_UNREADABLE"]),
        (b"[" + GOOD + b"]]", ["good", "JSON_UNREADABLE"]),
        (b"[" + GOOD + b"] x", ["good", "JSON_UNREADABLE"]),
        (b"[" + GOOD + b"]\n[" + GOOD + b"]", ["good", "good"]),
        (b"[" + GOOD + b',{"title": "cu', ["good", "JSON_UNREADABLE"]),
        (b"[" + GOOD + b",tru", ["good", "JSON_UNREADABLE", "JSON_UNREADABLE"]),
        (b'\xef\xbb\xbf[{"title": "marked"}]', ["marked"]),
        (b'{\n  "title": "over lines"\n}\n{\n  "title": "two"\n}\n', ["over lines", "two"]),
    ],
)
def test_arrays_that_break(text: bytes, expected: list[str]) -> None:
    """Rows before the break are rows, the break is a reject."""
    assert titles(text) == expected


def test_arrays_in_other_encodings() -> None:
    """A byte order mark or a declaration makes UTF-16 readable, on lines as well."""
    assert titles('[{"title": "é"}]'.encode("utf-16")) == ["é"]
    assert titles('{"title": "é"}\n{"title": "✓"}\n'.encode("utf-32")) == ["é", "✓"]
    assert titles('{"title": "é"}\n'.encode("latin-1"), encoding="latin-1") == ["é"]
    assert codes('{"title": "é"}\n'.encode("latin-1")) == [(1, "ENCODING_UNREADABLE")]


@pytest.mark.parametrize(
    "long",
    [
        b'{"a": "' + b"x" * 5_000_000 + b'"}',
        b'{"a": [' + b"1," * 2_500_000 + b"1]}",
        b'{"a": "' + b'\\"' * 2_500_000 + b'"}',
        b"[" * 1_000_000 + b"]" * 1_000_000,
        b"9" * 5_000_000,
    ],
)
def test_an_item_that_is_too_long_is_passed_over(long: bytes) -> None:
    """It is a reject with its beginning, and the next item is read."""
    first, odd, last = found(b"[" + GOOD + b"," + long + b"," + GOOD + b"]")
    assert outcome(odd) == "ROW_TOO_LARGE"
    assert odd.row == long[: len(odd.row)].decode()  # type: ignore[union-attr]
    assert outcome(first) == outcome(last)
    assert len(long) > 2 * ROW_BYTES


JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=20,
)


class Pieces(io.RawIOBase):
    """A stream that gives as few bytes at a time as it likes."""

    def __init__(self, data: bytes, seed: int) -> None:
        self._data, self._random = io.BytesIO(data), random.Random(seed)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._data.readinto(memoryview(buffer)[: self._random.randint(1, 7)])


@settings(max_examples=100)
@given(st.lists(JSON, max_size=6), st.sampled_from([None, 0, 2]), st.integers())
def test_items_are_cut_where_they_end(items: list[Any], indent: int | None, seed: int) -> None:
    """However the bytes of an array arrive, its items are those that json.loads finds."""
    data = json.dumps(items, indent=indent, ensure_ascii=bool(seed % 2)).encode("utf-8", "replace")
    stream = io.BufferedReader(Pieces(data, seed), 1 + abs(seed) % 20)
    assert [json.loads(text) for text in Values(stream).rows()] == json.loads(data)


KINDS: list[Format] = ["auto", "ndjson", "json", "bulk", "hits", "csv", "markdown"]


@settings(max_examples=1500)
@given(
    st.binary(max_size=400)
    | st.text("{}[]\",:\\ \n\r\t\0ae1-'|;#&*!<é\ud800", max_size=200).map(
        lambda text: text.encode("utf-8", "surrogatepass")
    ),
    st.sampled_from(KINDS),
    st.sampled_from([b"", b"---\n", b"{", b"[", b"a,b\n", b"\xff\xfe", b"\x1f\x8b\x08", b"BZh9"]),
    st.sampled_from([None, "utf-16", "latin-1", "shift_jis", "utf-7", "idna"]),
)
@example(b"title: !!int ''\n---\n", "markdown", b"---\n", None)
@example(b"title: !!bool x\n---\n", "markdown", b"---\n", None)
@example(b"1: 2\n---\n", "markdown", b"---\n", None)
def test_any_bytes_are_rows_or_rejects(
    data: bytes, kind: Format, start: bytes, encoding: str | None
) -> None:
    """Nothing but "no format of ours" is raised, and each thing found is in one chunk."""
    source = start + data
    try:
        everything = list(read(io.BytesIO(source), "x", Reading(kind, encoding=encoding), []))
    except UnsupportedFormat:
        assert kind == "auto"
        return
    chunks = list(cut(everything, Shape()))
    assert sum(len(chunk) for chunk in chunks) == len(everything)
    for chunk in chunks:
        orjson.dumps([reject.model_dump() for reject in chunk.rejects])


@pytest.mark.parametrize(
    "front",
    [
        b"a: &a [x]\nb: *a\n",
        b"a: &a [x,x]\nb: &b [*a,*a]\nc: &c [*b,*b]\n",
        b"a: " + b"[" * 60_000 + b"\n",
        b"a: " + b"{a: " * 15_000 + b"\n",
        b"- " * 30_000 + b"\n",
        b"? " * 30_000 + b"\n",
        b"a: " + b"9" * 60_000 + b"\n",
        b"x: y\n" * 60_000,
        b"a: !!python/object/apply:os.system [x]\n",
        b"when: 2024-99-99\n",
        b"1: number\n",
    ],
    ids=lambda front: front[:12].decode(),
)
def test_front_matter_that_explodes(front: bytes) -> None:
    """Aliases, nesting, sheer size and foreign tags are one reject."""
    assert [code for _, code in codes(b"---\n" + front + b"---\n", "x.md")] == [
        "MARKDOWN_UNREADABLE"
    ]


def test_markdown_in_another_encoding() -> None:
    """What is not UTF-8 is read as what it looks like."""
    text = "---\ntitle: Störung behoben\n---\n\n## Problem\n\nGerät tot.\n"
    assert rows(text.encode("cp1252"), "x.md")[0]["title"] == "Störung behoben"
