from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.unit.web.stand import TOKENS, Stand, standing


@pytest.fixture
async def stand() -> AsyncIterator[Stand]:
    async with standing() as made:
        yield made


@pytest.fixture
async def guarded() -> AsyncIterator[Stand]:
    async with standing(TOKENS) as made:
        yield made
