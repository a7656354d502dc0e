"""What a device can no longer be asked about has not been cleared."""

from tests.contract.profiles.plates import profile_of
from triage.core.events import FaultClaim
from triage.drivers.profiles.claims import Claims
from triage.drivers.profiles.interpreter import Interpreter, Sighting
from triage.drivers.profiles.values import Values

DOOR = FaultClaim(code="EnclosureOpen", connector=0, info="bits bit 1: door")
INTERNAL = FaultClaim(code="InternalError", connector=0, info="error 21")
NAMELESS = FaultClaim(code="PilotFault", connector=1, info="the pilot is out of range")


def after(claims: Claims, *faults: FaultClaim, blind: tuple[str, ...] = ()) -> set[str]:
    return {each.code for each in claims.after(Sighting(faults=faults, blind=frozenset(blind)))}


def test_a_claim_stands_while_its_source_is_silent_and_goes_when_it_speaks() -> None:
    claims = Claims(frozenset({"error", "bits"}))
    assert after(claims, DOOR, INTERNAL) == {"EnclosureOpen", "InternalError"}
    assert after(claims, blind=("bits",)) == {"EnclosureOpen"}
    assert after(claims, INTERNAL, blind=("bits",)) == {"EnclosureOpen", "InternalError"}
    assert after(claims, INTERNAL) == {"InternalError"}
    assert after(claims) == set()


def test_a_source_that_was_never_there_keeps_nothing_alive() -> None:
    claims = Claims(frozenset({"error", "bits"}))
    assert after(claims, INTERNAL, blind=("bits",)) == {"InternalError"}
    assert after(claims, blind=("bits",)) == set()


def test_a_register_that_is_gone_when_we_start_clears_nothing() -> None:
    claims = Claims(frozenset({"error", "bits"}), (DOOR, INTERNAL))
    assert after(claims, blind=("bits",)) == {"EnclosureOpen"}
    assert after(claims) == set()
    assert after(Claims(frozenset({"error", "pilot"}), (DOOR,)), blind=("error", "pilot")) == set(), (
        "of another profile"
    )


def test_a_claim_of_two_sources_stands_while_either_is_silent() -> None:
    both = FaultClaim(code="InternalError", connector=0, info="error 21; bits bit 4: relay")
    claims = Claims(frozenset({"error", "bits"}))
    assert after(claims, both) == {"InternalError"}
    assert after(claims, blind=("bits",)) == {"InternalError"}
    assert after(claims) == set()


def test_a_claim_of_unknown_origin_stands_while_anything_is_silent() -> None:
    claims = Claims(frozenset({"error", "pilot"}))
    assert after(claims, NAMELESS) == {"PilotFault"}
    assert after(claims, blind=("pilot",)) == {"PilotFault"}
    assert after(claims) == set()


def test_the_interpreter_tells_which_sources_are_silent() -> None:
    interpreter = Interpreter(profile_of("victron_evcs"), 1)
    assert interpreter.fault_sources
    (source,) = interpreter.fault_sources
    assert interpreter.see(Values()).blind == {source}
