"""Front matter: the YAML above a Markdown text, read without surprises and written for review."""

import json
import re
from typing import Any

import yaml

LENGTH_MAX = 256 * 1024  # characters: an entry's fields at their limits; 100,000 take a second
DEPTH_MAX = 20  # levels of custom fields; YAML is for people, deeper ones stand as JSON
KEY_MAX = 100  # characters of a name within them

#: Read as written: YAML would make a number of `013` and a boolean of `no`.
TEXTS = ("title", "category", "severity", "tags", "codes", "related", "external_id", "source")

PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./+-]*(?: [A-Za-z0-9_./+-]+)*")
NOT_TEXT = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
#: What JSON leaves as it is and YAML does not take, or takes for the end of a line.
UNPRINTABLE = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")

Fields = dict[str, Any]
Lines = dict[str, int]


class Unreadable(ValueError):
    """A file that is no entry; `line` counts from 1 in it."""

    def __init__(self, message: str, line: int = 1) -> None:
        super().__init__(message)
        self.line = line


class _Loader(yaml.SafeLoader):
    """YAML without aliases (a few of them, nested, are gigabytes), and each name once."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]  # PyYAML's
            raise Unreadable("an alias (*name) stands in the front matter", mark.line + 2)
        return super().compose_node(parent, index)

    def compose_mapping_node(self, anchor: Any) -> Any:
        node = super().compose_mapping_node(anchor)
        seen = set[str]()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    raise Unreadable(f"{key.value} stands twice in it", _line(key))
                seen.add(key.value)
        return node


def load(text: str) -> tuple[Fields, Lines]:
    """The fields, and the line of each in a file that begins with `---`. Raises: Unreadable."""
    if len(text) > LENGTH_MAX:
        raise Unreadable(f"the front matter has more than {LENGTH_MAX} characters")
    try:
        loader = _Loader(text)
        return _fields(loader, loader.get_single_node())
    except Unreadable:
        raise
    except RecursionError:
        raise Unreadable("the front matter is nested too deeply") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise Unreadable(
            f"{error.problem or error.context}", mark.line + 2 if mark else 1
        ) from None
    except (yaml.YAMLError, ValueError, LookupError, TypeError, AttributeError) as error:
        # The latter: a tag that does not fit its value (`!!int ""`, `!!bool x`).
        raise Unreadable(" ".join(str(error).split())) from None


def _fields(loader: _Loader, root: Any) -> tuple[Fields, Lines]:
    if not isinstance(root, yaml.MappingNode):
        raise Unreadable("the front matter is no mapping", 2)
    fields, lines = Fields(), Lines()
    for key, value in root.value:
        name = loader.construct_object(key, deep=True)
        if not isinstance(name, str):
            raise Unreadable("a name in the front matter is no text", _line(key))
        written = name in TEXTS
        fields[name] = _as_written(value) if written else loader.construct_object(value, deep=True)
        lines[name] = _line(key)
    return fields, lines


def _line(node: Any) -> int:
    return int(node.start_mark.line) + 2


def _as_written(node: Any) -> Any:
    if isinstance(node, yaml.SequenceNode):
        return [_as_written(item) for item in node.value]
    if isinstance(node, yaml.MappingNode):
        return {_as_written(key): _as_written(value) for key, value in _scalar_keys(node)}
    return None if node.tag == "tag:yaml.org,2002:null" else node.value


def _scalar_keys(node: Any) -> list[tuple[Any, Any]]:
    for key, _ in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise Unreadable("a name in the front matter is no text", _line(key))
    return list(node.value)


def dump(fields: Fields) -> str:
    """One line for each field. The title is always quoted; the others where they must be."""
    lines = (
        f"{name}: {_quoted(value) if name == 'title' else _custom(value)}\n"
        for name, value in fields.items()
    )
    return "".join(lines)


def _custom(value: Any) -> str:
    """As YAML; what is too deep for it, or named at length, as JSON in a text."""
    return _flow(value) if _fits(value, DEPTH_MAX) else _quoted(json.dumps(value, sort_keys=True))


def _fits(value: Any, depth: int) -> bool:
    if isinstance(value, dict):
        return depth > 0 and all(
            len(name) <= KEY_MAX and _fits(held, depth - 1) for name, held in value.items()
        )
    if isinstance(value, list | tuple):
        return depth > 0 and all(_fits(held, depth - 1) for held in value)
    return True


def _flow(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_text(k)}: {_flow(v)}" for k, v in sorted(value.items())) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_flow(held) for held in value) + "]"
    if isinstance(value, str):
        return _text(value)
    written = json.dumps(value)
    if isinstance(value, float) and "e" in written and "." not in written:
        return written.replace("e", ".0e")  # without a point YAML takes it for text
    return written


def _text(value: str) -> str:
    plain = PLAIN.fullmatch(value) and value.lower() not in NOT_TEXT
    return value if plain else _quoted(value)


def _quoted(value: str) -> str:
    """JSON's quotes are YAML's, but for a few characters."""
    return UNPRINTABLE.sub(
        lambda found: f"\\u{ord(found[0]):04x}", json.dumps(value, ensure_ascii=False)
    )
