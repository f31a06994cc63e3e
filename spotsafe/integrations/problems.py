"""Refusals as RFC 9457 problem documents, for any framework.

What the public may know of a refusal is the notice, the decision's id and the remedy.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from spotsafe.core.errors import PROBLEM_TYPE, SurfaceBlocked, SurfaceHeld

BLOCKED_STATUS = 422
"""Understood, and refused as it is."""

HELD_STATUS = 202
"""Accepted for a check that is not done; nothing was published."""


class Problem(NamedTuple):
    """An HTTP answer: its status and its body as a JSON object."""

    status: int
    body: dict[str, Any]

    def json(self) -> bytes:
        return json.dumps(self.body, ensure_ascii=False).encode()


def problem_of(refusal: SurfaceBlocked | SurfaceHeld) -> Problem:
    """The answer for a refused (422) or held (202) call."""
    if isinstance(refusal, SurfaceHeld):
        status, slug, title = HELD_STATUS, "held", "The content is held for a check"
    else:
        status, slug, title = BLOCKED_STATUS, "blocked", "The content was refused"
    return Problem(
        status,
        {
            "type": PROBLEM_TYPE + slug,
            "title": title,
            "status": status,
            "detail": refusal.notice or title + ".",
            "decision_id": refusal.decision_id,
            "remedy": refusal.remedy,
        },
    )
