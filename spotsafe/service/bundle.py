"""``GET /v1/policies/bundle``: the policies in force, compiled, as one canonical JSON document."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import Response

from spotsafe.service.access import authorised
from spotsafe.service.problems import NOT_FOUND, Problem
from spotsafe.service.state import service_of

if TYPE_CHECKING:
    from spotsafe.policy.surface import PolicySet, Rule, SurfacePolicy

BUNDLE_VERSION = 1

_PLAIN = (
    "team", "owner", "about", "direction", "audience", "baseline", "canary", "deadline", "cache_ttl",
    "cache_stale", "privacy_send", "retain", "service", "version", "static",
)  # fmt: skip
_RULE = ("id", "source", "at", "canary", "when", "notice")


async def policies(request: Request) -> Response:
    """The bundle with a strong ETag; 304 where the caller has it already. Read-only."""
    service = service_of(request)
    authorised(request, service.keys, None)
    if service.policies is None:
        raise Problem(NOT_FOUND, "The service was started without manifests: spotsafe serve --manifests DIR.")
    body = canonical(service.policies)
    tag = f'"{sha256(body).hexdigest()[:32]}"'
    headers = {"etag": tag, "cache-control": "private, no-cache"}
    if _matches(request.headers.get("if-none-match", ""), tag):
        return Response(status_code=304, headers=headers)
    return Response(body, headers=headers, media_type="application/json")


def _matches(stated: str, tag: str) -> bool:
    """Whether an If-None-Match header names *tag* (weak comparison, RFC 9110, section 13.1.2)."""
    known = (entry.strip().removeprefix("W/") for entry in stated.split(","))
    return any(entry in ("*", tag) for entry in known)


def canonical(policies: PolicySet) -> bytes:
    """The bundle's bytes: equal policies give equal bytes, whatever files they were written in."""
    document = {
        "bundle": BUNDLE_VERSION,
        "version": policies.version,
        "surfaces": {name: surface(policy) for name, policy in policies.surfaces.items()},
        "waivers": [waiver._asdict() for waiver in policies.waivers],
    }
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def surface(policy: SurfacePolicy) -> dict[str, Any]:
    """One surface as JSON; times in seconds."""
    return {
        **{name: getattr(policy, name) for name in _PLAIN},
        "content": {
            key: {"type": part.kind, "optional": part.optional} for key, part in policy.content.items()
        },
        "context": {name: field._asdict() for name, field in policy.context.items()},
        "languages": list(policy.languages),
        "mode": policy.mode.value,
        "hold": policy.hold._asdict(),
        "labels": list(policy.labels),
        "rules": [_rule(rule) for rule in policy.rules],
        "notices": {key: dict(texts) for key, texts in policy.notices.items()},
    }


def _rule(rule: Rule) -> dict[str, Any]:
    return {
        **{name: getattr(rule, name) for name in _RULE},
        "label": list(rule.patterns),
        "then": list(rule.then.words),
        "mode": rule.mode.value,
        "parts": list(rule.parts),
        "waived_until": rule.waiver.ends if rule.waiver is not None else None,
    }
