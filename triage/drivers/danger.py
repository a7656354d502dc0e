"""The second look's own list of plainly dangerous faults, kept apart from the core's tables on purpose.

It reads what the device wrote, before the core translated it. Too wide is safe here: a false alarm refuses a command.
"""

from __future__ import annotations

_CODES = frozenset(
    {
        "groundfailure",
        "overcurrentfailure",
        "overvoltage",
        "powerswitchfailure",
        "emergencystop",
        "cx002",
        "cx004",
        "cx005",
        "cx008",
        "cx017",
        "cx019",
        "cx022",
        "cx024",
        "cx025",
        "cx026",
        # As profiles translate them.
        "evsecontactorfault",
        "cableovertempstop",
        "resistancefault",
        "connectorvoltagehigh",
        "brokenlatch",
        "cutcable",
        "miswiring",
        "enclosureopen",
        "shortcircuit",
        "surgeprotectorfault",
        "fuseblown",
        "terminalovertemp",
        "temperaturesensorfault",
        "permanentfault",
        "lockopenedwhilecharging",
        "voltageimplausible",
        "monitorfault",
        "usercannotact",
        "batteryfault",
        "physicaldamage",
    }
)
_WORDS = (
    "ground",
    "earth",
    "leak",
    "residual",
    "insulation",
    "isolation",
    "shock",
    "smoke",
    "fire",
    "flame",
    "burn",
    "weld",
    "emergency",
    "estop",
    "e-stop",
    "water",
    "flood",
    "door",
    "tamper",
    "tilt",
    "collision",
    "gfci",
    "rcd",
    "overcurrent",
    "over-current",
    "short circuit",
    "漏电",
    "接地",
    "绝缘",
    "触电",
    "急停",
    "冒烟",
    "烟雾",
    "着火",
    "起火",
    "火灾",
    "烧",
    "粘连",
    "水浸",
    "进水",
    "浸水",
    "门禁",
    "柜门",
    "门打开",
    "倾斜",
    "倾倒",
    "碰撞",
    "短路",
    "过流",
    "过压",
)
# Everyday words that only contain a dangerous one.
_HARMLESS = ("firewall", "background", "foreground", "outdoor", "indoor", "doorbell")


def is_dangerous(code: str, info: str = "") -> bool:
    """Whether a fault, as the device wrote it, forbids everything that could energise or move something."""
    if code.strip().lower() in _CODES:
        return True
    text = f"{code} {info}".lower()
    for word in _HARMLESS:
        text = text.replace(word, "")
    return any(word in text for word in _WORDS)
