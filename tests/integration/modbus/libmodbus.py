"""An independent Modbus server: a C program on Debian's libmodbus, built here, moved word by word by a test."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, Self

from tests.parts import need

SOURCES = Path(__file__).resolve().parent
PATIENCE_S = 20.0


def build(name: str, folder: Path) -> Path:
    """Compile ``name``.c of this folder against libmodbus; the program's path."""
    include = Path(need("libmodbus")).parents[1]
    library = [f"-I{include}", f"-L{include.parent / 'lib'}", "-lmodbus"]
    program = folder / name
    command = [
        need("cc"),
        "-O2",
        "-Wall",
        "-Wextra",
        "-Werror",
        "-o",
        str(program),
        str(SOURCES / f"{name}.c"),
        *library,
    ]
    subprocess.run(command, check=True)
    return program


class Written(NamedTuple):
    """A write that reached a device, and how many came before it."""

    unit: int
    table: str
    address: int
    words: tuple[int, ...]


class Server:
    """One process with its devices. Use it as ``async with``; ``writes`` is everything that was ever written to it."""

    def __init__(self, program: Path, *, port: int = 0, ports: int = 1) -> None:
        self.port = port
        self.writes: list[Written] = []
        self.reactions: list[Callable[[Written], None]] = []
        self._command = [str(program), str(port), str(ports)]
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._answers: asyncio.Queue[str] = asyncio.Queue()

    async def __aenter__(self) -> Self:
        """Start it, and wait until it listens."""
        self._process = await asyncio.create_subprocess_exec(
            *self._command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        self._reader = asyncio.create_task(self._read())
        async with asyncio.timeout(PATIENCE_S):
            ready = await self._answers.get()
        assert ready.startswith("ready "), ready
        self.port = int(ready.split()[1])
        return self

    async def __aexit__(self, *_: object) -> None:
        """End it."""
        assert self._process is not None
        assert self._reader is not None
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()
        await self._reader

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def endpoint(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def set(self, unit: int, table: str, words: dict[int, int | list[int]]) -> None:
        """Give words to a table of a unit: each address with its word, or with those from there on."""
        for address, given in words.items():
            listed = [given] if isinstance(given, int) else given
            await self.command(f"set {unit} {table} {address} {' '.join(map(str, listed))}")

    async def command(self, line: str) -> None:
        """Send a command, see the program's own text, and wait until it is carried out."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n".encode())
        async with asyncio.timeout(PATIENCE_S):
            answer = await self._answers.get()
        assert answer == "done", answer

    def written(self, table: str, address: int, unit: int | None = None) -> list[tuple[int, ...]]:
        """The words of every write to one place, in order."""
        return [each.words for each in self.writes if each[1:3] == (table, address) and unit in {None, each.unit}]

    async def _read(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            said = line.decode().rstrip("\n")
            if not said.startswith("write "):
                self._answers.put_nowait(said)
                continue
            unit, table, address, *words = said.split()[1:]
            write = Written(int(unit), table, int(address), tuple(map(int, words)))
            self.writes.append(write)
            for react in self.reactions:
                react(write)
