"""An outage: many piles in the same trouble at once, with what they have in common as its likely cause.

One entity stands for all of them. While it is open its members are not treated one by one; who is back is let go at a
moment of his own, spread over the ramp, and is then decided from what he shows at that time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import Struct

from triage.core.vocabulary import Family

COMMON_CAUSE = frozenset({Family.OFFLINE, Family.UNRESPONSIVE, Family.SUPPLY})
"""Families that many piles show at once when the cause is not theirs."""

LOST = "lost"
"""The sign of a pile that is silent, cut off or without supply; any other sign is the name of a claimed fault."""

TRIED_PER_CURE = 2
"""Of piles that claim the same fault, so many more are tried for each one that is well again."""


class Cause(StrEnum):
    """What the members have in common, the likelier explanation first where several fit equally well."""

    GATEWAY = "gateway"
    FEEDER = "feeder"
    SITE = "site"
    CARRIER = "carrier"
    DRIVER = "driver"  # our own way to the field, or its broker
    FLEET = "fleet"
    FIRMWARE = "firmware"
    OWN_LINK = "own_link"  # our own way is known to be down


class OutageState(StrEnum):
    """Life of an outage."""

    OPEN = "open"
    RETURNING = "returning"
    CLOSED = "closed"


class Member(Struct, frozen=True, array_like=True, gc=False):
    """One pile of an outage.

    ``back_at`` None: still out. From ``free_at`` on it is decided on its own again; set without ``back_at`` it is one
    that did not come back with the others.
    """

    pile: str
    since: datetime
    back_at: datetime | None = None
    free_at: datetime | None = None

    @property
    def out(self) -> bool:
        """Whether it is still in trouble and waits with the others."""
        return self.back_at is None and self.free_at is None


class Outage(Struct, frozen=True, kw_only=True):
    """Many piles failing together. ``size`` is how many piles the group ``name`` of kind ``cause`` has.

    ``sign`` is :data:`LOST` or a fault's name. ``wake_at`` is the deadline of the present state.
    """

    id: str
    cause: Cause
    name: str
    sign: str
    size: int
    state: OutageState
    state_since: datetime
    opened_at: datetime
    wake_at: datetime | None
    site: str = ""  # empty when its members stand on several
    members: tuple[Member, ...] = ()
    summary: str = ""
    summary_zh: str = ""
    work_order: str | None = None
    reported: bool = False  # it lasted so long that somebody was told, by an order or on the record
    previous: str | None = None
    absorbed_by: str | None = None
    closed_at: datetime | None = None

    @property
    def open(self) -> bool:
        """Whether it still holds anybody."""
        return self.state is not OutageState.CLOSED

    @property
    def out(self) -> tuple[Member, ...]:
        """The members still in trouble."""
        return tuple(each for each in self.members if each.out)


def place(outage: str, pile: str) -> float:
    """The pile's place in the order of the outage, from 0 to 1: the same for ever, and spread like chance."""
    digest = hashlib.blake2b(f"{outage}/{pile}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64


def turn(outage: str, pile: str, back_at: datetime, ramp: timedelta) -> datetime:
    """When a pile that is back since ``back_at`` is decided on its own again."""
    return back_at + ramp * place(outage, pile)


def in_order(outage: str, sign: str, members: Iterable[Member]) -> tuple[Member, ...]:
    """Members as they are kept: by pile, and those that are tried one after the other by their place."""
    if sign == LOST:
        return tuple(sorted(members, key=lambda each: each.pile))
    return tuple(sorted(members, key=lambda each: (place(outage, each.pile), each.pile)))


def tried(outage: Outage, at_first: int) -> tuple[str, ...]:
    """Which members of an outage of equal faults may be treated now: a few, and more with every one that is cured."""
    cured = sum(each.back_at is not None for each in outage.members)
    return tuple(each.pile for each in outage.members[: at_first + TRIED_PER_CURE * cured])


def waits(outage: Outage, member: Member, now: datetime, at_first: int) -> str:
    """Why nothing is done about this member by itself now, or an empty string."""
    if not outage.open or (member.free_at is not None and member.free_at <= now):
        return ""
    if member.free_at is not None:
        return f"{outage.id}: its turn comes at {member.free_at:%H:%M:%S}"
    if outage.sign == LOST:
        return f"{outage.id}: {outage.summary}"
    if member.pile in tried(outage, at_first):
        return ""
    return f"{outage.id}: {outage.summary}; a few are tried first"


_OF: dict[Cause, tuple[str, str, str, str]] = {
    Cause.GATEWAY: (
        "behind gateway {}",
        "the gateway, or its way to us",
        "网关 {} 下",
        "网关或其通信线路",
    ),
    Cause.FEEDER: ("on feeder {}", "the feeder's supply", "馈线 {} 上", "馈线供电"),
    Cause.SITE: ("of site {}", "the site's supply, or its way to us", "场站 {} 的", "场站供电或网络"),
    Cause.CARRIER: ("of carrier {}", "the carrier's network", "运营商 {} 的", "运营商网络"),
    Cause.DRIVER: (
        "reached through {}",
        "our own way to the field, or its broker",
        "经 {} 接入的",
        "我方通道或消息服务器",
    ),
    Cause.FLEET: ("of the fleet", "something all of them share", "全网", "全网共因"),
    Cause.FIRMWARE: ("with firmware {}", "the firmware", "固件 {} 的", "固件"),
    Cause.OWN_LINK: ("reached through {}", "our own link is down", "经 {} 接入的", "我方链路中断"),
}


def wording(cause: Cause, name: str, sign: str, many: int, size: int) -> tuple[str, str]:
    """Extent and likely cause in a sentence, in English and in Chinese."""
    of, because, of_zh, because_zh = _OF[cause]
    if cause is Cause.OWN_LINK:
        return (
            f"our own link {name} is down: {many} piles cannot be heard",
            f"我方链路 {name} 中断:{many} 台充电桩无法监听",
        )
    did, did_zh = ("fell silent", "失联") if sign == LOST else (f"claim {sign}", f"报 {sign}")
    if cause is Cause.FIRMWARE and sign == LOST:
        because, because_zh = "the firmware, perhaps", "可能是固件"
    text = f"{many} of {size} piles {of.format(name)} {did} at once; likely cause: {because}"
    text_zh = f"{of_zh.format(name)} {size} 台充电桩中有 {many} 台同时{did_zh};可能原因:{because_zh}"
    return text, text_zh
