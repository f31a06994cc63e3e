"""``when``: CEL conditions over a surface's declared context, behind one seam for two backends."""

from __future__ import annotations

from collections.abc import Mapping

from spotsafe.policy.surface import Condition, ContextField


class ConditionError(ValueError):
    """A condition that cannot be used: 0-based *offset* in its text, the *problem* and a *hint*."""

    def __init__(self, offset: int, problem: str, hint: str = "") -> None:
        self.offset = offset
        self.problem = problem
        self.hint = hint
        super().__init__(problem)


def compile_condition(text: str, fields: Mapping[str, ContextField]) -> Condition:
    """stub"""
    return lambda context: None
