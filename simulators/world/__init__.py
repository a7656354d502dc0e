"""The simulated world: a fleet, people, technicians, a network and a database, all hostile, around the real daemon.

The real shell (runtime, engine, outbox) runs on the virtual-time loop of :mod:`simulators.loop`; the auditors of
:mod:`simulators.invariants` watch its boundaries. ``python -m simulators world --help`` tells how to run it.
"""

from __future__ import annotations

from simulators.world.command import main

__all__ = ["main"]
