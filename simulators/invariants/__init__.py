"""Auditors independent of the engine: they hold what the daemon did against what really happened.

They are fed with ground truth from the simulated devices, with what crossed the daemon's boundaries in both directions
(readings, acknowledgements, commands, answers, orders), and with every transaction at the moment it took effect. They
take from ``triage`` the shape of its documents and the declared tables, and none of its judgement.

| law | what is watched |
|---|---|
| I1 | an answered complaint exists once, for ever, in one incident |
| I2 | one open incident per pile, connector and family; one attempt at a time per pile |
| I3 | one order in the outside system for each incident in the field, none left open on a healed one |
| I4 | no command is committed that every possible picture of the pile forbids; nothing leaves before its commit |
| I5 | passed and recovered mean: newer readings, a real boot, a whole soak, no claim left |
| I6 | when faults stop, everything comes to an end |
| I7 | a command leaves once and is executed once; spacing and strikes hold across restarts |
| I8 | "remote failed" means that something was tried, or a refusal is on record |
| I9 | limits per pile, site and fleet hold over every sliding window of real time |
| I10 | nothing leaves after its time to live |
| I11 | what was acknowledged to the broker is in the database when the daemon dies |
| I12 | only declared edges, each with a reason in the journal; the chain holds |
| I14 | a restart loads what was committed |
| I18 | nothing changing is committed under the kill switch |
"""

from __future__ import annotations

from simulators.invariants.auditor import Auditor
from simulators.invariants.court import Court, Violation
from simulators.invariants.knowledge import Told

__all__ = ["Auditor", "Court", "Told", "Violation"]
