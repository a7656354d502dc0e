"""Whether a JMESPath that finds nothing met an explicit ``null``, or whether nothing was said at all.

JMESPath drops every null on its way through filters and projections, so that its result cannot tell one from the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from jmespath.exceptions import JMESPathError
from jmespath.functions import Functions
from jmespath.visitor import TreeInterpreter


class _Null:
    """Stands for a null that a document says, while an expression is walked through."""


_NULL: Final = _Null()
_PLAIN: Final = TreeInterpreter()


def says_null(parsed: Mapping[str, Any], document: Any) -> bool:
    """Whether the expression ``parsed``, which finds nothing in ``document``, ends at a null that stands there.

    Raises:
        JMESPathError: a function was given what it cannot take.
        TypeError: likewise.
        ValueError: likewise.
    """
    return _Walk().visit(parsed, document) is _NULL  # type: ignore[arg-type]  # the stubs' node exists only for mypy


class _Walk(TreeInterpreter):
    """JMESPath in which a null that is said is kept; whatever computes or compares sees it as the null it is."""

    def __init__(self) -> None:
        super().__init__()
        self._known = Functions()

    def visit_field(self, node: Any, value: Any) -> Any:
        if not isinstance(value, dict) or node["value"] not in value:
            return None
        return _kept(value[node["value"]])

    def visit_index(self, node: Any, value: Any) -> Any:
        if not isinstance(value, list) or not -len(value) <= node["value"] < len(value):
            return None
        return _kept(value[node["value"]])

    def visit_projection(self, node: Any, value: Any) -> list[Any] | None:
        base = self.visit(node["children"][0], value)
        return self._each(node, base) if isinstance(base, list) else None

    def visit_value_projection(self, node: Any, value: Any) -> list[Any] | None:
        base = self.visit(node["children"][0], value)
        return self._each(node, base.values()) if isinstance(base, dict) else None

    def visit_filter_projection(self, node: Any, value: Any) -> list[Any] | None:
        base = self.visit(node["children"][0], value)
        if not isinstance(base, list):
            return None
        wanted = node["children"][2]
        return self._each(node, [each for each in base if not self._is_false(_PLAIN.visit(wanted, _seen(each)))])

    def visit_or_expression(self, node: Any, value: Any) -> Any:
        first = self.visit(node["children"][0], value)
        if not self._is_false(first):
            return first
        second = self.visit(node["children"][1], value)
        return first if second is None and first is _NULL else second

    def visit_comparator(self, node: Any, value: Any) -> Any:
        return _PLAIN.visit(node, _seen(value))

    def visit_not_expression(self, node: Any, value: Any) -> Any:
        return _PLAIN.visit(node, _seen(value))

    def visit_expref(self, node: Any, value: Any) -> Any:
        return _PLAIN.visit(node, _seen(value))

    def visit_function_expression(self, node: Any, value: Any) -> Any:
        given = [self.visit(child, value) for child in node["children"]]
        null = any(each is _NULL or (isinstance(each, list) and _NULL in each) for each in given)
        try:
            found = self._known.call_function(node["value"], [_seen(each) for each in given])
        except (JMESPathError, TypeError, ValueError):
            if null:
                return _NULL
            if None in given:
                return None
            raise
        return _NULL if found is None and null else found

    def _each(self, node: Any, elements: Iterable[Any]) -> list[Any]:
        found = (self.visit(node["children"][1], _kept(element)) for element in elements)
        return [each for each in found if each is not None]

    def _is_false(self, value: Any) -> bool:
        return value is _NULL or bool(super()._is_false(value))  # type: ignore[misc]  # the stubs leave it out


def _kept(said: Any) -> Any:
    return _NULL if said is None else said


def _seen(value: Any) -> Any:
    """``value`` as JMESPath itself would have it at this place."""
    if isinstance(value, list):
        return [each for each in value if each is not _NULL]
    return None if value is _NULL else value
