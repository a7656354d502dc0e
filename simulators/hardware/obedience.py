"""How a pile takes commands: what it refuses, what it does not know, what it does, and what it answers."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from simulators.hardware.device import Message
from simulators.truth import Execution
from simulators.words import REBOOTS, Action, Answer, Status, Topic

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from simulators.hardware.connector import Connector
    from simulators.hardware.controller import Controller
    from simulators.hardware.device import Device
    from simulators.hardware.sessions import Sessions

REMEMBERED = 64
"""Command ids a device keeps."""
NEGATIVE = ("false", "inoperative", "unavailable", "off", "0", "no")
ACCEPTED: tuple[Answer, str] = (Answer.ACCEPTED, "")


class Obedience:
    """Takes commands for one device. Each id is carried out at most once as long as the device remembers it."""

    def __init__(self, device: Device, sessions: Sessions, controller: Controller) -> None:
        """Know what can be moved."""
        self._device = device
        self._sessions = sessions
        self._controller = controller
        self._does: dict[Action, Callable[[float, Action, int, Mapping[str, Any]], tuple[Answer, str]]] = {
            Action.REPORT: self._report,
            Action.PULL_LOG: self._nothing,
            Action.STOP_SESSION: self._stop_session,
            Action.UNLOCK: self._unlock,
            Action.SET_AVAILABILITY: self._set_availability,
            Action.RESET_SOFT: self._restart,
            Action.RESET_HARD: self._restart,
            Action.POWER_CYCLE: self._restart,
        }

    def take(self, now: float, command: Mapping[str, Any]) -> None:
        """Take one command as it stands on the topic; answers and effects follow on the agenda."""
        device = self._device
        device.truth.commands += 1
        action = _action(command.get("action"))
        if not device.reachable or (action is not None and not device.hears(action)):
            device.truth.commands_lost += 1
            return
        number = str(command.get("id", ""))
        if number in device.heard:
            device.truth.repeated += 1
            self._answer_later(now, device.heard[number])
            return
        result, reason = self._judge(now, number, action, command)
        answer = {"id": number, "result": result, "reason": reason}
        device.heard[number] = answer
        while len(device.heard) > REMEMBERED:
            del device.heard[next(iter(device.heard))]
        self._answer_later(now, answer)

    def _judge(self, now: float, number: str, action: Action | None, command: Mapping[str, Any]) -> tuple[Answer, str]:
        device = self._device
        if action is None or action not in device.nature.model.actions:
            return Answer.UNSUPPORTED, f"no action {command.get('action')!r}"
        if not number:
            return Answer.REFUSED, "no id"
        if device.nature.model.has_clock and self._expired(now, command.get("expires_at")):
            device.truth.expired += 1
            return Answer.REFUSED, "expired"
        connector = command.get("connector") or 0
        if not isinstance(connector, int) or not 0 <= connector <= len(device.connectors):
            return Answer.REFUSED, f"no connector {connector!r}"
        refusal = self._refusal(action, connector)
        if refusal:
            return Answer.REFUSED, refusal
        if device.nature.temperament.idle_hands and action is not Action.REPORT:
            return ACCEPTED
        self._record(now, number, action, connector)
        args = command.get("args")
        return self._does[action](now, action, connector, args if isinstance(args, dict) else {})

    def _expired(self, now: float, expires_at: object) -> bool:
        if not isinstance(expires_at, str):
            return False
        try:
            limit = datetime.fromisoformat(expires_at)
        except ValueError:
            return True
        own_s = self._device.clock.wall_s(now) + self._device.nature.temperament.clock_error_s
        return limit.tzinfo is None or limit.timestamp() < own_s

    def _refusal(self, action: Action, connector: int) -> str:
        """Why this make would not do it now; empty when it would."""
        device = self._device
        model = device.nature.model
        live = any(each.session is not None for each in self._on(connector if action not in REBOOTS else 0))
        if action in REBOOTS:
            if live and model.guards_session and action is not Action.POWER_CYCLE:
                return "transaction in progress"
            if device.updating is not None and model.guards_update:
                return "firmware update in progress"
        if action is Action.UNLOCK and live and not model.unlocks_live:
            return "transaction in progress"
        return ""

    def _on(self, connector: int) -> list[Connector]:
        return [each for each in self._device.connectors if connector in {0, each.number}]

    def _record(self, now: float, number: str, action: Action, connector: int) -> None:
        device = self._device
        live = next((each for each in self._on(0) if each.session is not None), None)
        danger, updating = device.danger, device.updating
        told = device.nature.temperament.tells_session
        device.truth.executions.append(
            Execution(
                at=now,
                pile=device.nature.pile,
                command=number,
                action=action,
                connector=connector,
                boot=device.boot,
                session=live.session if live else None,
                session_told_at=live.session_told_at if live and told else None,
                danger=danger.kind.name if danger else None,
                danger_told_at=danger.record.told_at if danger else None,
                updating=updating is not None,
                updating_told_at=updating.record.told_at if updating else None,
            )
        )

    def _answer_later(self, now: float, answer: dict[str, Any]) -> None:
        device = self._device
        if device.nature.temperament.mute:
            return

        def answer_now(_: float) -> None:
            if device.reachable:
                device.out.append(Message(Topic.ACK, dict(answer)))

        device.agenda.add(now + device.rng.uniform(*device.nature.temperament.answers_after_s), answer_now)

    def _report(self, now: float, _action: Action, _number: int, _args: Mapping[str, Any]) -> tuple[Answer, str]:
        self._device.agenda.add(now, self._device.tell)
        return ACCEPTED

    def _nothing(self, _now: float, _action: Action, _number: int, _args: Mapping[str, Any]) -> tuple[Answer, str]:
        return ACCEPTED

    def _stop_session(self, now: float, action: Action, number: int, _args: Mapping[str, Any]) -> tuple[Answer, str]:
        self._device.agenda.add(now, lambda at: self._controller.troubles.cure(at, action, number))
        live = [each for each in self._on(number) if each.session is not None]
        for connector in live:
            self._end_session(now, connector)
        return ACCEPTED if live or self._device.faults else (Answer.REFUSED, "no session")

    def _end_session(self, now: float, connector: Connector) -> None:
        session = connector.session

        def end(at: float) -> None:
            if connector.session is not None and connector.session == session:
                self._sessions.finish(at, connector)

        self._device.agenda.add(now, end)

    def _unlock(self, now: float, action: Action, number: int, _args: Mapping[str, Any]) -> tuple[Answer, str]:
        for connector in self._on(number):
            if connector.session is not None:
                self._end_session(now, connector)
        self._device.agenda.add(now, lambda at: self._controller.troubles.cure(at, action, number))
        return ACCEPTED

    def _set_availability(self, now: float, action: Action, number: int, args: Mapping[str, Any]) -> tuple[Answer, str]:
        operative = not any(str(value).lower() in NEGATIVE for value in args.values())
        for connector in self._on(number):
            connector.operative = operative
        if operative:
            self._device.agenda.add(now, lambda at: self._controller.troubles.cure(at, action, number))
        self._device.agenda.add(now, self._device.show_all)
        busy = any(each.phase is not Status.AVAILABLE for each in self._on(number))
        return Answer.ACCEPTED, "scheduled" if busy and not operative else ""

    def _restart(self, now: float, action: Action, _number: int, _args: Mapping[str, Any]) -> tuple[Answer, str]:
        self._controller.restart(now, action)
        return ACCEPTED


def _action(word: object) -> Action | None:
    try:
        return Action(str(word))
    except ValueError:
        return None
