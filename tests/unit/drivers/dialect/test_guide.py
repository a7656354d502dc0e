"""The guide's recipe for a message with an array of outlets, spoken by a device as the comment in it says."""

from __future__ import annotations

import json
import re
from pathlib import Path

from tests.unit.drivers.dialect.speech import Speech
from triage.core.events import Telemetry

GUIDE = (Path(__file__).parents[4] / "config" / "profiles" / "README.md").read_text(encoding="utf-8")
(RECIPE,) = (each for each in re.findall(r"(?s)```yaml\n# recipe\n(.*?)```", GUIDE) if "outlets[?" in each)


def told(speech: Speech) -> Telemetry:
    event = speech.device.tell()[-1]
    assert isinstance(event, Telemetry)
    return event


def test_an_array_of_outlets_is_read_as_the_guide_says() -> None:
    speech = Speech(RECIPE, connectors=2)
    said = json.loads(RECIPE.split("\n", 1)[0].removeprefix("# "))
    speech.say("box/p-1/state", said)
    first, second = told(speech).readings
    assert (first.status, first.session, first.session_known, first.power_w) == ("available", None, True, 0)
    assert (second.status, second.session, second.session_known, second.power_w) == ("charging", "A-17", True, 7010)
    speech.say("box/p-1/state", {"outlets": [{"n": 2, "st": "error", "err": "comm", "tx": None}]}, 1.0)
    reading = told(speech)
    assert [(claim.code, claim.connector) for claim in reading.faults] == [("CommunicationFault", 2)]
    assert (reading.readings[1].session, reading.readings[1].session_known) == (None, True)
    assert reading.readings[0].status == "available", "what is missing keeps its value"
    speech.say("box/p-1/state", {"outlets": [{"n": 2, "err": None}]}, 2.0)
    assert told(speech).faults == ()
