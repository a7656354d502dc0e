"""Who may call what: a dependency for each role."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends

from triage.web.auth import Caller, Role, needs

Viewer = Annotated[Caller, Depends(needs(Role.VIEWER))]
Agent = Annotated[Caller, Depends(needs(Role.AGENT))]
Dispatcher = Annotated[Caller, Depends(needs(Role.DISPATCHER))]
Operator = Annotated[Caller, Depends(needs(Role.OPERATOR))]
