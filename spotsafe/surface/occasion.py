"""One guarded call under way: who asks, under which policy, and how its decisions are enforced."""

from __future__ import annotations

from typing import Any, NamedTuple

from spotsafe.core.content import Content
from spotsafe.core.decision import Decision, Disposition
from spotsafe.surface.enforce import redactions, refuse
from spotsafe.surface.plan import Call, Plan
from spotsafe.surface.returned import Answer
from spotsafe.surface.seams import Guard, SurfacePolicy
from spotsafe.surface.stream import Windowing

_HOLD = Disposition.HOLD


class Occasion(NamedTuple):
    """A call: its client, plan, arguments, and the subjects read from them."""

    guard: Guard
    plan: Plan
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    item: str | None
    actor: str | None
    context: dict[str, object] | None

    @property
    def policy(self) -> SurfacePolicy:
        return self.plan.policy

    @property
    def answer(self) -> Answer:
        answer = self.plan.answer
        if answer is None:
            raise AssertionError("only asked where the plan checks what is returned")
        return answer

    @property
    def windowing(self) -> Windowing:
        return self.plan.handler.windowing or Windowing()

    def check(self, content: Content) -> Decision:
        return self.guard.check_content(
            self.plan.policy, content, item=self.item, actor=self.actor, context=self.context
        )

    async def acheck(self, content: Content) -> Decision:
        return await self.guard.acheck_content(
            self.plan.policy, content, item=self.item, actor=self.actor, context=self.context
        )

    def enforce(self, decision: Decision) -> None:
        """Raise SurfaceBlocked or SurfaceHeld where *decision* says so."""
        if decision.verdict.disposition >= _HOLD:
            language = self.plan.language
            spoken = None if language is None else language(self.args, self.kwargs)
            refuse(self.guard, self.plan.policy, decision, self.item, spoken)

    def let_in(self, decision: Decision, content: Content) -> Call:
        """The arguments with which the handler may run; raises where it may not."""
        self.enforce(decision)
        edits = redactions(decision, content)
        return self.plan.edited(self.args, self.kwargs, edits) if edits else (self.args, self.kwargs)

    def let_out(self, value: Any, decision: Decision, content: Content) -> Any:
        """The answer that may be returned; raises where none may."""
        self.enforce(decision)
        edits = redactions(decision, content)
        return self.answer.edited(value, edits) if edits else value
