from __future__ import annotations

import asyncio

import pytest

from triage.errors import OverloadedError
from triage.web.bulletin import Bulletin


async def test_changes_arrive_in_order() -> None:
    bulletin = Bulletin()
    reader = bulletin.subscribe()
    frames = reader.frames()
    for n in range(3):
        bulletin.publish({"kind": "incident", "id": f"I-{n}"})
    seen = [await anext(frames) for _ in range(3)]
    assert seen[0] == b'event: change\nid: 1\ndata: {"kind":"incident","id":"I-0"}\n\n'
    assert [frame.splitlines()[1] for frame in seen] == [b"id: 1", b"id: 2", b"id: 3"]


async def test_slow_reader_gets_a_gap_and_then_the_newest() -> None:
    bulletin = Bulletin(queue=2)
    slow, fast = bulletin.subscribe(), bulletin.subscribe()
    quick = fast.frames()
    for n in range(5):
        bulletin.publish({"n": n})
        assert f'"n":{n}'.encode() in await anext(quick)
    frames = slow.frames()
    assert await anext(frames) == b'event: gap\ndata: {"missed":3}\n\n'
    assert b'"n":3' in await anext(frames)
    assert b'"n":4' in await anext(frames)
    assert bulletin.dropped == 3


async def test_quiet_stream_is_kept_alive_by_comments() -> None:
    frames = Bulletin().subscribe().frames(keepalive_s=0.001)
    assert (await anext(frames)).startswith(b":")


async def test_closing_ends_waiting_readers_and_admits_no_other() -> None:
    bulletin = Bulletin()
    reader = bulletin.subscribe()

    async def read() -> list[bytes]:
        return [frame async for frame in reader.frames()]

    reading = asyncio.create_task(read())
    await asyncio.sleep(0)
    bulletin.close()
    assert await asyncio.wait_for(reading, 1) == []
    with pytest.raises(OverloadedError):
        bulletin.subscribe()


async def test_readers_are_bounded() -> None:
    bulletin = Bulletin(readers=1)
    reader = bulletin.subscribe()
    with pytest.raises(OverloadedError):
        bulletin.subscribe()
    bulletin.leave(reader)
    assert bulletin.readers == 0
    bulletin.publish({"nobody": "listens"})
    bulletin.subscribe()
