"""Scale and offset, exactly: 235 tenths are 23.5, and 23.5 is 235 tenths again."""

from __future__ import annotations

import math
from fractions import Fraction

SCALE_LIMITS = (1e-12, 1e12)
"""Smallest and greatest scale that is ever meant; beyond, numbers leave what a float can hold."""

_CLEAN_DIGITS = 12


def clean(number: float) -> float:
    """``number`` without the dust of binary arithmetic: 0.1 + 0.2 is 0.3."""
    return float(f"{number:.{_CLEAN_DIGITS}g}") if math.isfinite(number) else number


class Scaling:
    """``value = raw * scale + offset``. Whole numbers are scaled by whole numbers, so that nothing is rounded twice."""

    __slots__ = ("_addend", "_divisor", "_factor", "_offset", "_plain", "_scale")

    def __init__(self, scale: float, offset: float) -> None:
        factor, addend = Fraction(repr(scale)), Fraction(repr(offset))
        self._divisor = math.lcm(factor.denominator, addend.denominator)
        self._factor = int(factor * self._divisor)
        self._addend = int(addend * self._divisor)
        self._scale, self._offset = scale, offset
        self._plain = factor == 1 and not addend

    def apply(self, raw: float) -> float:
        """The value of ``raw``; a whole number where it is one by nature.

        Raises:
            OverflowError: no float can hold it.
        """
        if self._plain:
            return raw
        if isinstance(raw, int):
            scaled = raw * self._factor + self._addend
            return scaled if self._divisor == 1 else scaled / self._divisor
        value = clean(raw * self._scale + self._offset)
        if not math.isfinite(value):
            raise OverflowError
        return value

    def undo(self, value: float) -> Fraction:
        """The raw number of ``value``, exactly.

        Raises:
            ValueError: the value is not finite, or the scale is zero.
        """
        if not math.isfinite(value) or not self._factor:
            raise ValueError(value)
        return (Fraction(repr(value)) * self._divisor - self._addend) / self._factor
