"""Replays: a recorded trace through the pure engine with its own times, under the rules in force or under others.

Deadlines are found again by the rules replayed with. What the field answered is matched to the command it answered, by
pile and action; a command the trace knows nothing of counts as sent, and the telemetry of the trace judges it. So a
replay tells exactly which decision differs first; what follows it on that pile is what the rules would have said to the
same telemetry, not what the pile would have done.
"""

from __future__ import annotations

from triage.replay.difference import Difference, differ
from triage.replay.player import Decided, replay
from triage.replay.reading import Trace, read, rules_of

__all__ = ["Decided", "Difference", "Trace", "differ", "read", "replay", "rules_of"]
