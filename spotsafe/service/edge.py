"""What happens around every request: identity, hosts, bounds, security headers, counting, containment.

One plain ASGI layer. Nothing of a request but its method, the template of its route and the status of
its answer reaches a log line, a metric or a span.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from random import SystemRandom
from typing import Any

from opentelemetry import trace
from opentelemetry.trace import SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from spotsafe.core.errors import SpotsafeError
from spotsafe.core.faults import contained
from spotsafe.core.ids import uuid7
from spotsafe.service.problems import (
    INTERNAL,
    MISDIRECTED,
    OVERLOADED,
    STORE_FAILED,
    Problem,
    problem_response,
)
from spotsafe.service.state import Service
from spotsafe.service.store import StoreUnavailable

_log = logging.getLogger("spotsafe.service.access")
_random = SystemRandom()
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_ALWAYS = frozenset({"/healthz", "/readyz"})
"""Answered even at the bound of concurrent requests: orchestrators decide by them."""

SECURITY_HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "cross-origin-resource-policy": "same-origin",
}
"""Set on every answer that does not set them itself. No CORS header is ever sent."""


class Edge:
    """The outermost layer of the app. *hosts* are the host names it answers to; None answers to any."""

    def __init__(self, app: ASGIApp, service: Service, hosts: Sequence[str] | None) -> None:
        self._app = app
        self._service = service
        self._hosts = None if hosts is None else frozenset(host.lower() for host in hosts)
        self._open = 0
        self._tracer = trace.get_tracer("spotsafe.service")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass HTTP on with everything around it; lifespan as it is."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope["spotsafe.request_id"] = uuid7(int(self._service.clock.now() * 1000), _random)
        answer = _Answer(scope["spotsafe.request_id"], send)
        headers = Headers(scope=scope)
        started = time.perf_counter()
        self._open += 1
        with self._tracer.start_as_current_span(
            "spotsafe.service.request",
            context=TraceContextTextMapPropagator().extract(dict(headers)),
            kind=SpanKind.SERVER,
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                await self._guarded(scope, headers, receive, answer)
            finally:
                self._open -= 1
                route = _route(scope)
                span.set_attribute("http.route", route)
                span.set_attribute("http.response.status_code", answer.status)
                self._note(scope, route, answer, time.perf_counter() - started)

    async def _guarded(self, scope: Scope, headers: Headers, receive: Receive, answer: _Answer) -> None:
        problem = self._refusal(scope, headers)
        if problem is None:
            problem = await self._contained(scope, receive, answer)
        if problem is not None and not answer.started:
            response = problem_response(problem, path=scope["path"], request_id=answer.request_id)
            await response(scope, receive, answer)

    def _refusal(self, scope: Scope, headers: Headers) -> Problem | None:
        if self._hosts is not None and _host(headers.get("host", "")) not in self._hosts:
            return Problem(MISDIRECTED, "Call the service by the host name it was started for.")
        if self._open > self._service.limits.concurrent_requests and scope["path"] not in _ALWAYS:
            seconds = self._service.limits.retry_after
            return Problem(OVERLOADED, "Too many requests at once. Try again later.", retry_after=seconds)
        return None

    async def _contained(self, scope: Scope, receive: Receive, answer: _Answer) -> Problem | None:
        done = False
        try:
            with contained("service.request", self._service.faults):
                await self._app(scope, receive, answer)
                done = True
        except StoreUnavailable:
            return Problem(
                STORE_FAILED, "Nothing was kept. Send it again later.",
                retry_after=self._service.limits.retry_after,
            )  # fmt: skip
        except SpotsafeError:
            self._service.faults.note("service.request", "SpotsafeError")
        return None if done else Problem(INTERNAL, "The fault was counted. Quote the instance to report it.")

    def _note(self, scope: Scope, route: str, answer: _Answer, seconds: float) -> None:
        method = scope["method"] if scope["method"] in _METHODS else "other"
        status = str(answer.status)
        metrics = self._service.metrics
        metrics.count("spotsafe_http_requests_total", route=route, method=method, status=status)
        metrics.observe("spotsafe_http_request_seconds", seconds, route=route)
        _log.info("%s %s %s %.1f ms %s", method, route, status, seconds * 1000, answer.request_id)


class _Answer:
    """The ``send`` given to the app: adds headers, remembers the status."""

    __slots__ = ("_send", "request_id", "started", "status")

    def __init__(self, request_id: str, send: Send) -> None:
        self.request_id = request_id
        self._send = send
        self.started = False
        self.status = 500

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            self.status = int(message["status"])
            headers = MutableHeaders(scope=message)
            for name, value in SECURITY_HEADERS.items():
                headers.setdefault(name, value)
            headers["x-request-id"] = self.request_id
        await self._send(message)


def _route(scope: Scope) -> str:
    """The template of the route (``/v1/holds/{decision_id}``), never the path itself."""
    template: Any = scope.get("spotsafe.route")
    return template if isinstance(template, str) else "unmatched"


def _host(value: str) -> str:
    """The host name in a Host header, without its port."""
    if value.startswith("["):
        return value.partition("]")[0].lower() + "]"
    return value.partition(":")[0].lower()


def routed(template: str, endpoint: Callable[..., Any]) -> Callable[..., Any]:
    """*endpoint* that first writes its route's template into the scope, for log and metrics."""

    async def named(request: Any) -> Any:
        request.scope["spotsafe.route"] = template
        return await endpoint(request)

    named.__doc__ = endpoint.__doc__
    return named
