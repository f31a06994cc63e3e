"""A detector by a word on a command line: ``local``, an address, or ``KIND:MODEL@ADDRESS``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from spotsafe.core.errors import ConfigurationError
from spotsafe.core.seams import Detector
from spotsafe.detectors.backends.chat import ChatGuard, Family
from spotsafe.detectors.backends.exchange import Waiting

FORMS = (
    "local | local:first | https://SERVICE | openai:[MODEL][@URL] | mistral:[MODEL][@URL] | azure:ENDPOINT | "
    "llama-guard:MODEL@URL | safeguard:MODEL@URL"
)

KEYS: dict[str, tuple[str, ...]] = {
    "service": ("SPOTSAFE_API_KEY",),
    "openai": ("OPENAI_API_KEY",),
    "mistral": ("MISTRAL_API_KEY",),
    "azure": ("AZURE_CONTENT_SAFETY_KEY", "CONTENT_SAFETY_KEY"),
    "llama-guard": ("GUARD_API_KEY",),
    "safeguard": ("GUARD_API_KEY",),
}
"""Kind → the environment variables that its key is looked for in, the first that is set."""

_NEEDS_KEY = ("azure",)
_AT = ("@https://", "@http://")


def detector(
    spec: str,
    *,
    environ: Mapping[str, str],
    broad: bool = False,
    transport: Any = None,
    waiting: Waiting | None = None,
    local: Callable[[str], Detector] | None = None,
) -> Detector:
    """The detector that *spec* names (one of :data:`FORMS`); keys come from *environ*.

    *broad*: categories also speak for narrower labels (:mod:`~spotsafe.detectors.backends.categories`).
    *transport* replaces the network (an ``httpx`` transport), *local* the entry point of the local engine,
    called with its tier. Raises ConfigurationError naming what is wrong and the forms that there are.
    """
    if spec == "local" or spec.startswith("local:"):
        return (local or _local)(spec.partition(":")[2] or "full")
    if spec.startswith(("https://", "http://")):
        return _service(spec, environ, transport=transport, waiting=waiting)
    kind, _, rest = spec.partition(":")
    if kind not in KEYS or kind == "service":
        raise ConfigurationError(f"{spec[:60]!r} names no detector; write {FORMS}")
    model, url = _model_and_url(rest)
    options = {"key": _key(kind, environ, url), "transport": transport, "waiting": waiting}
    if kind in ("openai", "mistral"):
        from spotsafe.detectors.backends import openai_moderation as shape

        vendor = shape.OPENAI if kind == "openai" else shape.MISTRAL
        return shape.OpenAIModeration(vendor, model=model, url=url, broad=broad, **options)
    if kind == "azure":
        return _azure(rest, broad, options)
    if model is None or url is None:
        raise ConfigurationError(f"{kind} needs a model and an address; write {kind}:MODEL@https://HOST/v1")
    return ChatGuard(_family(kind, broad), model=model, url=url, **options)


def _local(tier: str) -> Detector:
    from spotsafe.detectors.local import engine

    if tier not in ("full", "first"):
        raise ConfigurationError(f"the local engine has no tier {tier[:40]!r}; write local or local:first")
    return engine() if tier == "full" else engine(tier)


def _service(url: str, environ: Mapping[str, str], **options: Any) -> Detector:
    from spotsafe.detectors.backends.service import ServiceDetector

    return ServiceDetector(url, key=_key("service", environ, url), **options)


def _azure(endpoint: str, broad: bool, options: Mapping[str, Any]) -> Detector:
    from spotsafe.detectors.backends.azure import AzureContentSafety

    if not endpoint:
        raise ConfigurationError(
            "azure needs its endpoint; write azure:https://NAME.cognitiveservices.azure.com"
        )
    return AzureContentSafety(endpoint, broad=broad, **options)


def _family(kind: str, broad: bool) -> Family:
    if kind == "llama-guard":
        from spotsafe.detectors.backends.llama_guard import LlamaGuard

        return LlamaGuard(broad=broad)
    from spotsafe.detectors.backends.safeguard import Safeguard

    return Safeguard()


def _model_and_url(rest: str) -> tuple[str | None, str | None]:
    """Model and address of ``MODEL@URL``; a model's name may hold colons, slashes and at signs."""
    for sign in _AT:
        if sign in rest:
            model, _, url = rest.rpartition(sign)
            return model or None, sign[1:] + url
    return rest or None, None


def _key(kind: str, environ: Mapping[str, str], url: str | None) -> str | None:
    """The key of *kind*. A vendor's key is not sent to an address other than the vendor's: there the one of
    whoever serves it, ``GUARD_API_KEY``, is."""
    elsewhere = kind in ("openai", "mistral") and url is not None
    names = ("GUARD_API_KEY",) if elsewhere else KEYS[kind]
    found = next((environ[name] for name in names if environ.get(name)), None)
    if found is None and (kind in _NEEDS_KEY or (kind in ("openai", "mistral") and not elsewhere)):
        raise ConfigurationError(f"{kind} needs a key: set {names[0]} in the environment")
    return found
