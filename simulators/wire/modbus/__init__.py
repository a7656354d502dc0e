"""Simulated piles that speak Modbus: registers, coils and bad habits of nine makes, on real sockets.

What the registers mean is written down here once more, by hand from the makers' tables, and nothing is shared with the
product: a table read wrongly on one side shows as a disagreement.

API::

    device = Warp(pile)                               # one of simulators.wire.modbus.catalogue.MAKES
    device.read(now, unit, "input", 1002, 2)          -> [0, 4]      the registers as they are at now
    device.write(now, unit, "holding", 0, [302, 45063])              raises Refusal with an exception code
    device.troubles.add(Trouble.TORN)                                see simulators.wire.modbus.troubles
    async with Quay("127.0.0.1", 5020, {1: device}, pace.now): ...   serves it
    layout.berthed(fleet, port=5020)                  -> Fleet       some of its piles speak Modbus instead of MQTT
"""
