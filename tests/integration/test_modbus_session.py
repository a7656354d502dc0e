"""A session's id in a register: a number, the marker for "no value", or a register that the device has not."""

from __future__ import annotations

import pytest

from tests.integration.modbus_plant import plant
from tests.integration.modbus_stand import driving, fill, profile, registration
from triage.core.events import Telemetry

pytestmark = pytest.mark.integration

WITH_ID = {
    "registers": {"transaction": {"table": "holding", "address": 500, "type": "u16", "invalid": [0xFFFF]}},
    "session": {"id": "transaction"},
}


@pytest.mark.parametrize(
    ("word", "session"), [(17, ("17", True)), (0, (None, True)), (0xFFFF, (None, False)), (None, (None, False))]
)
async def test_zero_means_no_session_and_a_marker_or_a_missing_register_nothing(
    word: int | None, session: tuple[str | None, bool]
) -> None:
    async with plant() as field:
        fill(field.unit().holding)
        if word is not None:
            field.unit().holding[500] = word
        async with driving((registration(field), profile(**WITH_ID))) as (_, inbox):
            (told,) = (await inbox.first(Telemetry)).readings
    assert (told.session, told.session_known) == session
