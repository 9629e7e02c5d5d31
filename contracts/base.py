"""The ground every contract stands on."""

import random
import re
import time
import uuid
from typing import Annotated, Any, Self

import orjson
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

KEY_MAX = 200  # characters of an idempotency key
SURROGATE = re.compile("[\ud800-\udfff]")  # of no character: such a text has no UTF-8 form
_ITEMS = re.compile(r"Value should have (at (?:most|least) \d+) item(s?) after validation, not \d+")
_LISTS = re.compile(r"Tuple should have (at (?:most|least) \d+ items?) after validation, not")


def refuse_unstorable(text: str) -> str:
    """Raise ValueError for what PostgreSQL can't store: a NUL character, or half a character.

    Python reads lone surrogates from JSON, and a `str` without bounds lets them pass.
    """
    if "\0" in text:
        raise ValueError("contains a NUL character (U+0000), which can't be stored")
    if not text.isascii() and SURROGATE.search(text):
        raise ValueError("contains half a character (a lone surrogate), which can't be stored")
    return text


Text = Annotated[str, AfterValidator(refuse_unstorable)]
#: Rows that a page passes over: more than any list has, and far fewer than PostgreSQL refuses.
Offset = Annotated[int, Field(ge=0, le=2**31 - 1)]


class Contract(BaseModel):
    """A frozen model that refuses unknown fields: a misspelt one is an error, not a loss."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def from_json(cls, body: bytes | str) -> Self:
        """What was written as JSON, however deep it is: Pydantic's own reader ends at 200 levels.

        Raises: pydantic's ValidationError, orjson's JSONDecodeError; both are ValueErrors.
        """
        return cls.model_validate(orjson.loads(body))

    @classmethod
    def from_reply(cls, body: bytes) -> Self:
        """As `from_json`, what an actor answered: of a later release, fields that we don't know
        are passed over."""
        return cls.model_validate(orjson.loads(body), extra="ignore")

    def renewed(self) -> Self:
        """This request as an effect of its own, after someone has edited it."""
        return self


def new_id() -> uuid.UUID:
    """A UUIDv7 (RFC 9562 §5.7): 48 bits of Unix milliseconds, then random bits.

    Ids made later sort later, which keeps B-tree inserts at the right edge. They name things and
    guard nothing, so `random` will do (it is seeded anew after a fork): asking the kernel for
    randomness took a twelfth of a client's time under load.
    """
    return uuid.UUID(int=_new_value())


def new_name() -> str:
    """A `new_id` as text: for who needs no more of it, in a third of the time."""
    text = f"{_new_value():032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _new_value() -> int:
    value = (time.time_ns() // 1_000_000) << 80 | random.getrandbits(80)
    value = value & ~(0xF << 76) | 0x7 << 76
    return value & ~(0x3 << 62) | 0x2 << 62


class Write(Contract):
    """A request that changes something, done once however often it arrives.

    `key` names the effect: its second arrival answers with the first result, and the same key
    with another body is refused (`KEY_REUSED`).
    """

    key: Annotated[Text, Field(min_length=1, max_length=KEY_MAX)] = Field(default_factory=new_name)
    by: Annotated[Text, Field(max_length=100)] = ""
    #: The key of the request that this one was edited from: only one of the two takes effect.
    instead_of: Annotated[Text, Field(max_length=KEY_MAX)] | None = None

    def renewed(self) -> Self:
        """This request under a new key, in place of the first one."""
        update = {"key": new_name(), "instead_of": self.instead_of or self.key}
        return self.model_copy(update=update)


class Nothing(Contract):
    """A request without parameters."""


class EncodedReply(bytes):
    """A reply that its actor has already encoded as JSON; it travels untouched."""


def field_errors(errors: list[Any]) -> list[dict[str, str]]:
    """Pydantic's errors as `[{field, code, message}]`, without the offending values."""
    return [
        {
            "field": ".".join(str(part) for part in error["loc"]),
            "code": str(error["type"]).upper(),
            "message": _said(error),
        }
        for error in errors
    ]


def _said(error: Any) -> str:
    """Its message. Behind a validator, as in `Text`, Pydantic calls characters items; what JSON
    has as a list is a tuple only here."""
    if str(error["type"]).endswith("_type") and error.get("input", ...) is None:
        return "can't be null"
    said = str(error["msg"]).removeprefix("Value error, ")
    items = isinstance(error.get("input"), str) and _ITEMS.fullmatch(said)
    return (
        f"String should have {items[1]} character{items[2]}"
        if items
        else _LISTS.sub(r"List should have \1, not", said)
    )
