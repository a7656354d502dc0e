"""What all tests share: the parts they need, and a seeded, reproducible Hypothesis."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

from tests.parts import free_port, need, on_ci

# The machine is shared and small: an example's deadline would measure the neighbours.
settings.register_profile("house", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("house"), derandomize=True, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if on_ci() else "house"))


@pytest.fixture
def port() -> int:
    """A free port of the loopback interface."""
    return free_port()


@pytest.fixture(scope="session")
def mosquitto() -> str:
    """The path of Mosquitto."""
    return need("mosquitto")


@pytest.fixture(scope="session")
def prometheus() -> str:
    """The path of Prometheus."""
    return need("prometheus")


@pytest.fixture(scope="session")
def promtool() -> str:
    """The path of promtool."""
    return need("promtool")


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of Chromium."""
    return need("chromium")
