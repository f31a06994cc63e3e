"""The record: a decision as an event, without content; what the outbox keeps and the service stores."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

EVENT_KINDS = ("decision", "register", "drops", "feedback")
"""``register``: a process started and what it declares; ``drops``: events lost, by reason."""

FEEDBACK_VERDICTS = ("agree", "too_strict", "too_lax")
"""What a person can think of a decision."""

MAX_EVENT_BYTES = 64 * 1024
"""JSON of one event: a client builds none that is larger, and a service takes one of this size."""

EVENTS_PER_REQUEST = 500
"""Events that a service takes together."""

ENVIRONMENTS_APART = ("ci", "test", "demo")
"""Environments that adoption shows apart from real traffic."""

Record = Mapping[str, Any]
"""A JSON object. Common keys of every event:

``event_id``    str, UUIDv7; the key of idempotence
``kind``        one of EVENT_KINDS
``at``          float, Unix seconds
``app``         str, OTEL_SERVICE_NAME or the client's option
``environment`` str
``instance``    str, random per process
``sdk``         str, version of the client

Of ``decision`` (``event_id`` is the decision id):

``surface`` ``team`` ``service`` ``direction`` ``audience`` str; ``policy_version`` str
``mode`` shadow | canary | enforce; ``disposition`` word; ``effects`` list; ``status`` word
``queued`` bool; ``would`` {"disposition", "effects"} or null; ``kill_switch`` str or null
``failed_open`` bool: a failure whose policy let the content through; ``latency_ms`` float added by the guard
``reasons`` [{"rule", "label", "trigger", "cause", "score", "threshold"}]; ``waivers`` [str]
``scores`` {label: max score}; ``missing`` {label: cause}; ``engine`` str
``actor`` ``item`` ``content`` keyed hex digests or null; ``context`` {declared with record: true}
``hold`` {"expires", "reason", "on_expiry"} or null; ``trace_id`` str or null

Of ``register``: ``surfaces`` [{"surface", "team", "declared": bool, "decorated": bool, "mode",
"waivers": [{"rule", "ends", "owner"}], "unsupported": [label]}], ``kill_switches`` [str], ``python`` str.
Of ``drops``: ``drops`` {reason: count} since the last such event.
Of ``feedback``: ``decision_id``, ``verdict`` (one of FEEDBACK_VERDICTS), ``label``,
``reporter``.
"""
