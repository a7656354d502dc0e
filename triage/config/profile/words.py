"""The small words every profile is made of: names, numbers as vendors print them, and units with their factors."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StringConstraints

_HEX = re.compile(r"[-+]?0[xX][0-9A-Fa-f]{1,16}\Z")

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
"""What a value is called inside a profile."""

ProfileId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]{1,64}(?:/[A-Za-z0-9._-]{1,64})?$")]
"""What the fleet file's column ``profile`` says."""

Text = Annotated[str, StringConstraints(min_length=1, max_length=500, strip_whitespace=True)]
Prose = Annotated[str, StringConstraints(min_length=1, max_length=4_000, strip_whitespace=True)]
Seconds = Annotated[float, Field(gt=0, le=86_400)]


def _plain(value: Any) -> Any:
    """A hexadecimal number as vendors print it, ``0x4000``, as the number it is."""
    return int(value, 16) if isinstance(value, str) and _HEX.match(value) else value


Whole = Annotated[int, BeforeValidator(_plain)]
"""A whole number, decimal or hexadecimal."""

Number = Annotated[int | float, BeforeValidator(_plain)]
"""A number, decimal or hexadecimal."""

Scalar = Annotated[bool | int | float | str, BeforeValidator(_plain)]
"""What a device may say: a number, a truth value or a word; ``0x…`` is a number."""

Unit = Literal["V", "mV", "A", "mA", "W", "kW", "VA", "Wh", "kWh", "s", "ms", "min", "h", "degC", "%", "Hz"]

FACTORS: dict[str, tuple[str, float]] = {
    "V": ("V", 1.0),
    "mV": ("V", 0.001),
    "A": ("A", 1.0),
    "mA": ("A", 0.001),
    "W": ("W", 1.0),
    "kW": ("W", 1000.0),
    "VA": ("W", 1.0),  # what a meter without power factor offers; good enough to see that somebody draws power
    "Wh": ("Wh", 1.0),
    "kWh": ("Wh", 1000.0),
    "s": ("s", 1.0),
    "ms": ("s", 0.001),
    "min": ("s", 60.0),
    "h": ("s", 3600.0),
    "degC": ("degC", 1.0),
    "%": ("%", 1.0),
    "Hz": ("Hz", 1.0),
}
"""Each unit's canonical unit and factor; readings are converted with it."""
