"""The servers, the browser and the C library that tests use: where they are, and how to get those that are absent.

``python -m tests.parts`` finds every part and installs the absent ones with the machine's own package manager. A test
asks with :func:`need`: on a user's machine it is skipped without its part, with CI=true an absent part is a failure.
PostgreSQL is no part of this list, for it comes as a wheel with the other packages.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import socket
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

ELSEWHERE = (
    "/usr/sbin",
    "/usr/local/sbin",
    "/usr/local/bin",
    "/opt/homebrew/bin",
    "/opt/homebrew/sbin",
    "/usr/local/opt",
)
"""Folders that hold servers and are often not on a user's PATH."""

INCLUDES = ("/usr/include", "/usr/local/include", "/opt/homebrew/include")
"""Folders that hold the headers of libraries."""


@dataclass(frozen=True)
class Part:
    """A program by its names, or a library by its header, and the packages that bring it."""

    name: str
    binaries: tuple[str, ...]
    apt: str
    brew: str
    header: str = ""

    def find(self) -> str | None:
        """Its path on this machine."""
        if self.header:
            headers = (Path(folder, self.header) for folder in INCLUDES)
            return next((str(header) for header in headers if header.is_file()), None)
        path = os.pathsep.join([os.environ.get("PATH", ""), *ELSEWHERE])
        return next((found for binary in self.binaries if (found := shutil.which(binary, path=path))), None)


PARTS = {
    part.name: part
    for part in (
        Part("mosquitto", ("mosquitto",), "mosquitto", "mosquitto"),
        Part("prometheus", ("prometheus",), "prometheus", "prometheus"),
        Part("promtool", ("promtool",), "prometheus", "prometheus"),
        Part(
            "chromium",
            (
                "chromium",
                "chromium-browser",
                "google-chrome",
                "google-chrome-stable",
                "/Applications/Chromium.app/Contents/MacOS/Chromium",
                "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
            ),
            "chromium",
            "--cask chromium",
        ),
        Part("cc", ("cc", "gcc", "clang"), "build-essential", "gcc"),
        Part("libmodbus", (), "libmodbus-dev", "libmodbus", header="modbus/modbus.h"),
    )
}


def need(name: str) -> str:
    """The path of the part called ``name``; without it the test fails with CI=true, and is skipped elsewhere."""
    found = PARTS[name].find()
    if found is not None:
        return found
    message = f"{name} is not on this machine; `make parts` installs it"
    if on_ci():
        pytest.fail(message, pytrace=False)
    pytest.skip(message)


def on_ci() -> bool:
    """Whether absence must not pass for success."""
    return os.environ.get("CI", "").lower() in {"1", "true", "yes"}


def free_port() -> int:
    """A TCP port of the loopback interface that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def free_ports(count: int) -> int:
    """The first of ``count`` TCP ports in a row of the loopback interface that nobody listens on now.

    They lie below those that a system hands out to outgoing connections, which would take one of them any moment.
    """
    for first in random.SystemRandom().sample(range(10_000, 32_000 - count), 200):
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
            for port in range(first, first + count):
                stack.enter_context(socket.socket()).bind(("127.0.0.1", port))
            return first
    raise AssertionError(f"no {count} free ports in a row")


def install(parts: Sequence[Part]) -> None:
    """Install ``parts`` with apt-get or brew, as far as this user may; says what it does."""
    commands = _apt(parts) or _brew(parts)
    if not commands:
        print("no way to install here (neither apt-get with rights nor brew)")
    for command in commands:
        print("$", " ".join(command), flush=True)
        environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
        done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, timeout=900, check=False)
        if done.returncode:
            print(f"failed with status {done.returncode}")


def _apt(parts: Sequence[Part]) -> list[list[str]]:
    if shutil.which("apt-get") is None:
        return []
    rights = _rights()
    if rights is None:
        return []
    packages = sorted({part.apt for part in parts})
    quiet = [*rights, "apt-get", "-q", "-o", "Dpkg::Use-Pty=0"]
    # One command a package: a name this distribution does not have must not keep the others out.
    return [[*quiet, "update"], *([*quiet, "install", "-y", "--no-install-recommends", name] for name in packages)]


def _rights() -> list[str] | None:
    """What to put before a command that only root may run; None when this user may not at all."""
    if os.geteuid() == 0:
        return []
    if (
        shutil.which("sudo")
        and subprocess.run(["sudo", "-n", "true"], capture_output=True, check=False).returncode == 0
    ):
        return ["sudo", "-n", "--preserve-env=DEBIAN_FRONTEND"]
    return None


def _brew(parts: Sequence[Part]) -> list[list[str]]:
    if shutil.which("brew") is None:
        return []
    return [["brew", "install", *package.split()] for package in sorted({part.brew for part in parts})]


def main() -> int:
    """Report every part, install what is absent; 1 when something is still absent and CI=true."""
    absent = [part for part in PARTS.values() if part.find() is None]
    if absent:
        install(absent)
    for part in PARTS.values():
        print(f"{part.name}: {part.find() or 'absent; the tests that need it are skipped'}")
    return int(on_ci() and any(part.find() is None for part in PARTS.values()))


if __name__ == "__main__":
    sys.exit(main())
