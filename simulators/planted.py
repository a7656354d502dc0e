"""Bugs on purpose."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

PLANTED: dict[str, str] = {}


@contextmanager
def planted(name: str | None) -> Iterator[None]:
    """None yet."""
    yield
