"""Made-up values of every type the stores keep, drawn from the types' own annotations."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import Enum
from functools import cache
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from hypothesis import strategies as st
from msgspec import Struct


def _whole(text: str) -> bool:
    # Two halves of a surrogate pair side by side are one character to every JSON reader.
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass") == text


TEXT = st.text(st.characters(exclude_categories=()), max_size=6).filter(_whole)
NUMBERS = st.integers(-(2**53), 2**53)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
MOMENTS = st.datetimes(datetime(1971, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | FLOATS | TEXT,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXT, inner, max_size=2),
    max_leaves=3,
)
_SIMPLE: dict[Any, st.SearchStrategy[Any]] = {
    str: TEXT,
    int: NUMBERS,
    float: FLOATS,
    bool: st.booleans(),
    bytes: st.binary(max_size=6),
    datetime: MOMENTS,
    Any: JSON,
    type(None): st.none(),
}


@cache
def of(kind: Any) -> st.SearchStrategy[Any]:
    """Values of ``kind``."""
    origin, arguments = get_origin(kind), get_args(kind)
    if kind in _SIMPLE:
        return _SIMPLE[kind]
    if origin in {Union, UnionType}:
        return st.one_of([of(argument) for argument in arguments])
    if origin is tuple and arguments[-1] is not Ellipsis:
        return st.tuples(*[of(argument) for argument in arguments])
    if origin is tuple:
        return st.lists(of(arguments[0]), max_size=2).map(tuple)
    if origin is dict:
        return st.dictionaries(of(arguments[0]), of(arguments[1]), max_size=2)
    if issubclass(kind, Enum):
        return st.sampled_from(list(kind))
    assert issubclass(kind, Struct)
    hints = get_type_hints(kind)
    return st.builds(kind, **{name: of(hints[name]) for name in kind.__struct_fields__})
