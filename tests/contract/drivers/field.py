"""The other side of a driver, as the contract needs it: one pile that can be made to speak, and a way that can be cut.

Every driver has a subclass of :class:`Field`, made of servers and clients that share no code with the driver.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from enum import Enum
from pathlib import Path

from tests.contract.drivers.gate import Gate
from triage.interfaces import Driver

SITE, PILE = "north", "p-1"
SPEED = 20.0
"""Divides the driver's pauses between attempts to connect."""


class Session(Enum):
    """What the pile says of a session."""

    NONE = "none"
    LIVE = "live"
    UNKNOWN = "unknown"


class Field(ABC):
    """A protocol's field: the pile ``p-1`` on site ``north`` with one connector, behind a gate.

    Attributes:
        told: the actions the pile was told, in order; the pile's own notes, not the driver's.
        gate: what the driver's connections go through.
    """

    def __init__(self, folder: Path) -> None:
        """``folder`` is the test's own."""
        self.folder = folder
        self.told: list[str] = []
        self.gate = Gate(0)

    async def open(self) -> None:
        """Come into being; the way to the pile is whole."""
        self.gate = Gate(await self._open())
        await self.gate.mend()

    async def close(self) -> None:
        """Leave nothing behind."""
        await self.gate.cut()
        await self._close()

    async def cut(self) -> None:
        """The way is gone."""
        await self.gate.cut()

    async def mend(self) -> None:
        """The way is back."""
        await self.gate.mend()

    @abstractmethod
    async def _open(self) -> int:
        """Start the far side; the port on which it is reached."""

    @abstractmethod
    async def _close(self) -> None:
        """Stop the far side."""

    @abstractmethod
    def driver(self, fresh_s: float = 60.0) -> Driver:
        """A driver for this field that knows the pile and goes through the gate; not yet started."""

    @abstractmethod
    async def say(
        self,
        status: str = "available",
        session: Session = Session.NONE,
        *,
        danger: bool = False,
        pile: str = PILE,
    ) -> None:
        """The pile says, or shows whoever asks, its state; with ``danger`` it claims a ground fault.

        A status that is no word of the field is one that nobody understands.
        """

    async def lose_answer(self) -> None:
        """What the pile is told next reaches it, and its answer is lost."""
        self.gate.answers = False

    @abstractmethod
    async def garble(self) -> None:
        """The pile says what nobody can understand."""
