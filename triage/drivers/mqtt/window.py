"""How many messages may be with the rest of the daemon at once; beyond that the connection stops reading.

A broker's own window does not do: it knows nothing of QoS 0, and some brokers exceed it while acknowledgements flow.
Whatever is read and cannot be worked off would be held in memory, and coalesced there when that is full; unread, it
waits in the broker, in order and within the bounds that the broker was given.
"""

from __future__ import annotations

from collections.abc import Callable

from triage.drivers.mqtt.counters import Counters

MOST = 1_000
"""Two batches of the driver (500): one is decided and committed while the next one waits, so nobody idles."""

LEAST = 500
"""Read again when one batch is left: earlier would pause after every few messages, later would leave a gap."""


class Window:
    """Counts what was handed over and is not settled yet, over all connections of one client.

    A message is settled when its acknowledgement is called, whatever its QoS and whether or not its connection lives.

    Attributes:
        outstanding: messages handed over and not settled.
    """

    def __init__(self, counters: Counters, most: int = MOST, least: int = LEAST) -> None:
        """Full at ``most``; with room again at ``least`` or fewer."""
        self.outstanding = 0
        self._counters = counters
        self._most = most
        self._least = least
        self._waiting: Callable[[], None] | None = None

    @property
    def full(self) -> bool:
        """Whether nothing more should be read now."""
        return self.outstanding >= self._most

    def take(self, count: int) -> None:
        """``count`` messages are handed over."""
        self.outstanding += count

    def settle(self, count: int) -> None:
        """``count`` of them are settled; whoever waits is called when that makes room."""
        self.outstanding -= count
        if self._waiting is not None and self.outstanding <= self._least:
            waiting, self._waiting = self._waiting, None
            waiting()

    def wait(self, go_on: Callable[[], None]) -> None:
        """Call ``go_on`` once there is room; the latest connection alone waits."""
        self._counters.count("pauses")
        self._waiting = go_on
