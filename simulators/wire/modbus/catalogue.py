"""The makes there are."""

from __future__ import annotations

from simulators.wire.modbus.device import Device
from simulators.wire.modbus.makes.abl import Abl
from simulators.wire.modbus.makes.alfen import Alfen
from simulators.wire.modbus.makes.charx import Charx
from simulators.wire.modbus.makes.heidelberg import Heidelberg
from simulators.wire.modbus.makes.keba import Keba
from simulators.wire.modbus.makes.sungrow import Sungrow
from simulators.wire.modbus.makes.vestel import Vestel
from simulators.wire.modbus.makes.victron import Victron
from simulators.wire.modbus.makes.warp import Warp

MAKES: tuple[type[Device], ...] = (Warp, Heidelberg, Abl, Keba, Vestel, Charx, Victron, Sungrow, Alfen)
"""Every make, in the order in which a fleet is given them."""

BY_PROFILE = {make.profile: make for make in MAKES}
"""Makes by the name the fleet file uses."""
