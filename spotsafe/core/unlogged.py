"""The HTTP library's debug log, kept shut while it carries content.

httpcore logs, at DEBUG, what a server sent as its status line and headers, and the text of errors that
quote them. A server that is broken, or hostile, can answer with the content it was asked about.
"""

from __future__ import annotations

import logging
from contextvars import ContextVar, Token

LOGGERS = ("httpcore.connection", "httpcore.http11", "httpcore.http2", "httpcore.proxy", "httpcore.socks")
"""The loggers of httpcore 1.x, by its module; a filter on a parent would not see their records."""

_shut: ContextVar[bool] = ContextVar("spotsafe_unlogged", default=False)


class _Shut(logging.Filter):
    """Drops what is logged inside of :class:`unlogged`; other users of the library keep their log."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not _shut.get()


_filter = _Shut()


def install() -> None:
    """Put the filter on the loggers; any number of times."""
    for name in LOGGERS:
        logging.getLogger(name).addFilter(_filter)


class unlogged:  # noqa: N801 - reads as a statement: ``with unlogged(): ...``
    """Around one exchange, in the thread or task that performs it."""

    __slots__ = ("_token",)

    def __enter__(self) -> None:
        self._token: Token[bool] = _shut.set(True)

    def __exit__(self, *raised: object) -> None:
        _shut.reset(self._token)
