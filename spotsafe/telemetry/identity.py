"""Who reports: the application, environment and process that events carry."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from spotsafe._version import __version__

DEFAULT_ENVIRONMENT = "production"


class Identity:
    """Who reports: application, environment, process, client version. The tenant is the service's to know,
    by the key.

    *instance* is random per process and changes in a forked child.
    """

    __slots__ = ("_entropy", "_instance", "_pid", "app", "environment", "sdk")

    def __init__(
        self,
        app: str,
        environment: str = DEFAULT_ENVIRONMENT,
        *,
        sdk: str = __version__,
        entropy: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self.app = clean(app) or "unnamed"
        self.environment = clean(environment) or DEFAULT_ENVIRONMENT
        self.sdk = sdk
        self._entropy = entropy
        self._pid = 0
        self._instance = ""

    @classmethod
    def from_environ(
        cls,
        environ: Mapping[str, str],
        *,
        app: str | None = None,
        environment: str | None = None,
    ) -> Identity:
        """The identity that options, else the process environment, give: ``OTEL_SERVICE_NAME``, then
        ``service.name`` of ``OTEL_RESOURCE_ATTRIBUTES``; ``SPOTSAFE_ENVIRONMENT``, then
        ``deployment.environment.name``, then ``test`` under pytest and ``ci`` where ``CI`` is set."""
        resource = _resource_attributes(environ)
        found_app = app or environ.get("OTEL_SERVICE_NAME") or resource.get("service.name") or "unnamed"
        found_environment = (
            environment
            or environ.get("SPOTSAFE_ENVIRONMENT")
            or resource.get("deployment.environment.name")
            or resource.get("deployment.environment")
            or ("test" if "PYTEST_CURRENT_TEST" in environ else "")
            or ("ci" if environ.get("CI", "").lower() in ("1", "true") else "")
            or DEFAULT_ENVIRONMENT
        )
        return cls(found_app, found_environment)

    @property
    def instance(self) -> str:
        """16 hex digits, random per process."""
        if self._pid != os.getpid():
            self._instance = self._entropy(8).hex()
            self._pid = os.getpid()
        return self._instance

    def head(self, kind: str, event_id: str, at: float) -> dict[str, Any]:
        """The keys that every event has."""
        return {
            "event_id": event_id,
            "kind": kind,
            "at": at,
            "app": self.app,
            "environment": self.environment,
            "instance": self.instance,
            "sdk": self.sdk,
        }

    def __repr__(self) -> str:
        return f"<Identity {self.app} {self.environment}>"


def clean(text: str, limit: int = 200) -> str:
    """*text* cut to *limit* characters, without lone surrogates (they cannot travel in UTF-8)."""
    return text[:limit].encode("utf-8", "replace").decode()


def _resource_attributes(environ: Mapping[str, str]) -> dict[str, str]:
    pairs = (entry.partition("=") for entry in environ.get("OTEL_RESOURCE_ATTRIBUTES", "").split(","))
    return {key.strip(): value.strip() for key, found, value in pairs if found}
