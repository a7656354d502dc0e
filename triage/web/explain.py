"""Why an incident stands where it stands: why this step, why not that one, what would have to change. Pure.

Read from what is stored with the incident itself (run, attempts, refusals, what was passed over), in both languages of
the pages. Reasons that gates and devices gave are quoted as they stand on record.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Stored = Mapping[str, Any]
Line = dict[str, Any]
"""A sentence as ``en`` and ``zh``, and the moment ``at`` it speaks of, where there is one."""

MOST_LINES = 40

_ACTIONS = {
    "report": "读取状态",
    "pull_log": "拉取日志",
    "set_availability": "设置可用性",
    "stop_session": "停止充电",
    "unlock": "解锁",
    "reset_soft": "软复位",
    "reset_hard": "硬复位",
    "power_cycle": "断电重启",
}
_RESULTS = {"passed": "通过", "failed": "失败", "refused": "被拒绝", "unknown": "结果不明"}
_CLOSED = {
    "self_cleared": ("it cleared by itself", "故障自行消除"),
    "recovered_remotely": ("a remote remedy cured it, proven by telemetry", "远程恢复成功，并经遥测证实"),
    "repaired": ("it was repaired on site", "已现场修复"),
    "no_fault_found": ("no fault was found", "未发现故障"),
    "merged": ("another incident took it over", "已并入其他事件"),
    "dismissed": ("a person dismissed it", "已由人工撤销"),
}

CHANGES: dict[str, tuple[str, str]] = {
    "kill_switch": ("the kill switch must be turned off", "需要解除总开关"),
    "plan_mode": ("the plan's mode, and the policy's, must allow sending", "预案模式与总策略须允许下发"),
    "unregistered": ("the pile must be in the fleet file", "该桩须在登记表中"),
    "safety": ("a person must look and say that the danger is over", "须由人员到场确认危险已解除"),
    "silence": ("the maintenance must end or be lifted", "维护静默须结束或被撤销"),
    "link": ("the pile must be heard again", "通信须恢复"),
    "stale": ("a fresh reading must arrive", "须收到新的遥测数据"),
    "session": ("the charging session must end, and be known to have ended", "充电会话须结束并得到确认"),
    "firmware": ("the update or the start under way must be over", "固件升级或启动过程须结束"),
    "out_of_service": ("its operator must put it back into service", "须由运营方恢复启用"),
    "outage": ("the common cause must be over", "大面积故障须先消除"),
    "minimum_available": ("more piles of the site must serve", "场站须有更多可用的桩"),
    "storm": ("the storm must calm down", "故障风暴须平息"),
    "busy": ("the other attempt on this pile must be over", "该桩的另一次尝试须结束"),
    "spacing": ("time must pass since the last reset", "距上次复位须满足最小间隔"),
    "serviced": ("the open work order must be closed", "未结工单须关闭"),
    "strikes": ("resets do not last here: somebody must look", "复位无法根治，须派人查看"),
    "breaker": ("fewer of the recent resets may have failed", "近期复位的失败率须下降"),
    "site_budget": ("another pile of the site must finish restarting", "同站其他桩须先完成重启"),
    "fleet_budget": ("the fleet's budget of resets must recover", "全网复位限额须恢复"),
    "approval": ("a person must approve the step", "须由人员批准该步骤"),
    "second_look": ("the driver must see that sending is safe", "发送前复核须通过"),
}
"""What would have to change for a gate to say yes."""

_OTHER_GATE = ("what the gate names must change", "须满足该门限的条件")
_PASSED = {
    "impossible": (
        "it could be done with a power switch, or with a profile that has the action",
        "需要电源开关，或支持该操作的机型配置",
    ),
    "learned": (
        "a better record would bring it back (some are still tried by lot); a person's retry follows the plan's text",
        "记录好转后会恢复（仍有少量按抽签尝试）；人工重试则按预案原文执行",
    ),
    "suggested": ("it would be passed over with policy.learning: on", "将 policy.learning 设为 on 后会跳过该步骤"),
}


def explain(stored: Stored) -> dict[str, Any]:
    """The explanation of a stored incident.

    ``now`` says what it is waiting for or doing and why, ``not`` why other steps are not (or no longer) taken, and
    ``change`` what would have to change for the next thing to happen.
    """
    state = _STATES.get(str(stored.get("state")), _unknown)
    now, change = state(stored)
    passed = list((stored.get("run") or {}).get("passed") or ())
    others = [_passed_over(each) for each in passed]
    others += [_tried(each) for each in stored.get("attempts") or () if each.get("result")]
    others += [_refused(each) for each in stored.get("refusals") or ()]
    change += [line(*_PASSED[each["kind"]]) for each in passed if each.get("kind") in _PASSED]
    return {"now": now, "not": others[-MOST_LINES:], "change": _once(change)}


def line(en: str, zh: str, at: Any = None) -> Line:
    """A sentence in both languages."""
    return {"en": en, "zh": zh, "at": at} if at is not None else {"en": en, "zh": zh}


def _once(lines: list[Line]) -> list[Line]:
    return list({each["en"]: each for each in lines}.values())[:MOST_LINES]


def _action(name: Any) -> str:
    return _ACTIONS.get(str(name), str(name))


# What is being done, and why ------------------------------------------------------------------------------------------

Told = tuple[list[Line], list[Line]]


def _observing(stored: Stored) -> Told:
    now = line(
        "It is watched first: devices clear many faults by themselves",
        "先行观察：许多故障会自行消除",
        stored.get("wake_at"),
    )
    return [now], [
        line("a complaint about it ends the wait, and so does a person's retry", "有用户投诉或人工重试时立即处理")
    ]


def _held(stored: Stored) -> Told:
    if stored.get("held_by"):
        by = stored["held_by"]
        now = line(f"{by} holds it", f"由 {by} 人工暂缓", stored.get("wake_at"))
        return [now], [line("a person must release it", "须由人员解除暂缓")]
    if stored.get("watch") == "back":
        now = line(
            "Its first remedy waits: drawn by lot, to measure how many heal by themselves",
            "首个远程步骤暂缓：抽签选中，用于统计自行恢复的比例",
            stored.get("watch_until"),
        )
        return [now], [
            line("a complaint ends the wait, and so does a person's retry", "有用户投诉或人工重试时立即处理")
        ]
    last = _last(stored, "refusals")
    attempt = _last(stored, "attempts")
    if last is None or (attempt is not None and str(attempt.get("concluded_at") or "") > str(last.get("at"))):
        now = line("The next step is decided from new evidence", "下一步将根据新的数据决定", stored.get("wake_at"))
        return [now], []
    gate = str(last.get("gate"))
    what = f"{last['step']}: " if last.get("step") else ""
    now = line(
        f"{what}the gate {gate} says no: {last.get('reason')}",
        f"{what}未通过“{gate}”检查：{last.get('reason')}",
        last.get("next_look_at"),
    )
    return [now], [line(*CHANGES.get(gate, _OTHER_GATE))]


def _recovering(stored: Stored) -> Told:
    attempt = _last(stored, "attempts")
    if attempt is None or attempt.get("result"):
        return [line("The next step is decided", "正在决定下一步")], []
    plan = attempt.get("plan") or (stored.get("run") or {}).get("plan") or "manual"
    action = attempt.get("action")
    now = [
        line(
            f"{action} is under way: step {attempt.get('step')} of plan {plan}, the gentlest that is left",
            f"正在执行{_action(action)}：预案 {plan} 的步骤 {attempt.get('step')}，是剩余步骤中影响最小的",
            attempt.get("sent_at"),
        ),
        line("every gate said yes when it was sent", "下发时已通过全部检查"),
    ]
    proof = line(
        "telemetry newer than the command must prove it, whatever the device answers",
        "须由命令之后的遥测证实，设备应答不作数",
        attempt.get("verify_by"),
    )
    return now, [proof]


def _probation(stored: Stored) -> Told:
    now = line("The trouble is gone and has to stay gone", "故障已消失，须保持稳定", stored.get("wake_at"))
    return [now], [line("if it comes back, the next step is decided", "如再次出现，将决定下一步")]


def _desk(stored: Stored) -> Told:
    why = stored.get("desk_reason") or "no rule decides it"
    now = line(f"A person must decide: {why}", f"须人工决定：{why}")
    last = _last(stored, "refusals")
    change = [
        line("retry, approve, dispatch or dismiss it", "可重试、批准、派单或撤销"),
        line("if nobody does, a team is sent", "无人处理时将派人到场", stored.get("wake_at")),
    ]
    if last is not None and last.get("reason") == stored.get("desk_reason"):
        change.insert(0, line(*CHANGES.get(str(last.get("gate")), _OTHER_GATE)))
    return [now], change


def _field(stored: Stored) -> Told:
    order = stored.get("work_order")
    now = line(f"Work order {order} is open: nothing is sent meanwhile", f"工单 {order} 未结：期间不下发命令")
    proof = line("the team's report and telemetry that proves the repair close it", "须由班组报告并经遥测证实后关闭")
    return [now], [proof]


def _confirming(stored: Stored) -> Told:
    number = len(stored.get("complaints") or ())
    now = line(f"{number} reporter(s) are to be called back", f"待回访 {number} 位反映人", stored.get("wake_at"))
    return [now], [line("the reporters' answer, or their silence, closes it", "回访结果或逾期未答后关闭")]


def _closed(stored: Stored) -> Told:
    en, zh = _CLOSED.get(str(stored.get("close_code")), ("it is over", "已结束"))
    return [line(f"Closed: {en}", f"已关闭：{zh}", stored.get("closed_at"))], []


def _unknown(stored: Stored) -> Told:
    return [line(f"State {stored.get('state')}", f"状态 {stored.get('state')}")], []


_STATES: Mapping[str, Callable[[Stored], Told]] = {
    "observing": _observing,
    "held": _held,
    "recovering": _recovering,
    "probation": _probation,
    "desk": _desk,
    "field": _field,
    "confirming": _confirming,
    "closed": _closed,
}


def _last(stored: Stored, name: str) -> Stored | None:
    found = stored.get(name) or ()
    return found[-1] if found else None


# Why not another step -------------------------------------------------------------------------------------------------


def _passed_over(each: Stored) -> Line:
    reason = each.get("reason")
    if each.get("kind") == "suggested":
        return line(f"{reason}", f"建议：{reason}")
    return line(f"{reason}", f"已跳过{_action(each.get('action'))}：{reason}")


def _tried(each: Stored) -> Line:
    action, result = each.get("action"), str(each.get("result"))
    reason = f": {each['reason']}" if each.get("reason") else ""
    return line(
        f"{action} was tried and {_past(result)}{reason}",
        f"已尝试{_action(action)}，{_RESULTS.get(result, result)}{reason}",
        each.get("concluded_at") or each.get("sent_at"),
    )


def _past(result: str) -> str:
    return {"refused": "was refused", "unknown": "its outcome is unknown"}.get(result, result)


def _refused(each: Stored) -> Line:
    times = f" ({each['count']} times)" if (each.get("count") or 1) > 1 else ""
    times_zh = f"（{each['count']} 次）" if times else ""
    step = f"{each['step']} was held back by" if each.get("step") else "held back by"
    return line(
        f"{step} {each.get('gate')}{times}: {each.get('reason')}",
        f"{each.get('step') or ''}被“{each.get('gate')}”暂缓{times_zh}：{each.get('reason')}",
        each.get("at"),
    )
