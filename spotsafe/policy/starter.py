"""What ``spotsafe init`` writes: a manifest for one surface and the platform's waiver file, commented."""

from __future__ import annotations

import re

from spotsafe.core.errors import ConfigurationError
from spotsafe.policy.fields import SURFACE_NAME

AUDIENCES = {
    "floor": "public",
    "public-ugc": "public",
    "private-messages": "private",
    "collaborative": "group",
    "ai-assistant": "private",
    "minors": "minors",
}
"""The audience that the starter states for each shipped baseline."""


def starter_manifest(surface: str, *, baseline: str, team: str, owner: str) -> str:
    """The text of a manifest for *surface*. ConfigurationError where the name cannot be one."""
    if re.fullmatch(SURFACE_NAME, surface) is None:
        raise ConfigurationError(
            f"{surface[:60]!r} cannot be a surface: use lower-case words joined by dots, e.g. comments.create"
        )
    return _MANIFEST.format(
        surface=surface,
        baseline=baseline,
        team=team,
        owner=owner,
        audience=AUDIENCES[baseline],
        expected="limit" if baseline == "minors" else "review",  # minors' own rule is stricter
    )


_MANIFEST = """\
# The policy of one or more surfaces. `spotsafe lint` checks it, `spotsafe explain {surface}` shows what
# is in force, `spotsafe test` runs the examples. Every field: docs/manifest-reference.md
spotsafe: 1
team: {team}
owner: {owner}
extends: baseline/{baseline}    # its rules stand; what follows can only add to them
surfaces:
  {surface}:                    # as in @safe_surface("{surface}")
    about: What people do here, in one sentence
    direction: input            # input | output | both | tool
    audience: {audience}
    content:
      body: text                # the handler's parameter, or a path into it: payload.body
    # context: {{author_age_days: int}}     # what callers pass and `when` may read
    languages: [en]
    # `mode` governs the rules below alone: watch first, then {{canary: 10}}, then enforce. The baseline's
    # rules hold and block at once; `spotsafe explain {surface}` lists them, and only a waiver loosens one.
    mode: shadow
    deadline: 150ms             # for the whole check; slower answers fall back to the local engine
    rules:
      # A rule fires when the score of its label reaches `at`.
      - {{id: toxic, label: tone.toxic, at: 0.85, then: review}}
      # - {{id: new-authors, label: harass.bullying, at: 0.5, then: hold, when: "author_age_days < 7"}}
    # on_failure: {{default: hold, "tone.*": allow}}   # when no detector answers in time
    examples:                   # what must pass and what must not
      - {{body: "thanks, that helped a lot", expect: allow}}
      - {{body: "(scripted)", scores: {{tone.toxic: 0.95}}, expect: {expected}}}
      # - {{body: "(new)", scores: {{harass.bullying: 0.9}}, context: {{author_age_days: 2}}, expect: hold}}
"""

STARTER_WAIVERS = """\
# The platform's own file, given to clients as Client(waivers="waivers.yaml"). Keep it where the platform
# team approves changes: a waiver in a team's manifest is only a request.
spotsafe: 1
waivers: []
# - rule: baseline/public-ugc#profanity     # `spotsafe explain SURFACE` lists rules by these names
#   surface: comments.create
#   owner: comments@example.com             # who asked and answers for it
#   reason: A forum for linguists about swear words; entry is from 18 on
#   approver: trust@example.com             # who on the platform's side agreed
#   ends: 2027-01-31T00:00:00Z              # always an end; `spotsafe lint` warns 30 days ahead
# services: [main]                          # the reporting units that exist
"""
