"""What a query string asks for: numbers in bounds, and one page of a list."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from starlette.requests import Request

from spotsafe.service.event_records import is_identifier
from spotsafe.service.problems import BAD_REQUEST, Problem

DIGITS = 6
"""Longest number in a query; beyond it nothing is converted."""


class Page(NamedTuple):
    """At most *limit* entries in *state*, behind the one with the id *after* (None: from the first)."""

    state: str
    limit: int
    after: str | None


def whole(text: str, name: str, most: int) -> int:
    """The number *text*, the query's *name*, from 1 to *most*. Raises :class:`Problem` 400."""
    short = text.isascii() and text.isdigit() and len(text) <= DIGITS
    if not (short and 1 <= int(text) <= most):
        raise Problem(BAD_REQUEST, f"{name} is a number from 1 to {most}.")
    return int(text)


def page_of(request: Request, states: Collection[str], default: str, most: int, *, of: str) -> Page:
    """The page that *request* asks for: in one of *states* (*default* where it names none), of at most *most*
    entries, which are told by the id of an *of*. Raises :class:`Problem` 400."""
    query = request.query_params
    state, after = query.get("state", default), query.get("after")
    if state not in states:
        raise Problem(BAD_REQUEST, f"state is one of {', '.join(states)}.")
    limit = whole(query.get("limit", "100"), "limit", most)
    if after is not None and not is_identifier(after):
        raise Problem(BAD_REQUEST, f"after is the {of} id that the page before named in next.")
    return Page(state, limit, after)
