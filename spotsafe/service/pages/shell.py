"""The frame of every page: one style sheet inline, allowed by its hash, and nothing else."""

from __future__ import annotations

from base64 import b64encode
from functools import cache
from hashlib import sha256
from html import escape
from importlib.resources import files

from starlette.responses import HTMLResponse

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} · spotsafe</title><style>{style}</style></head>
<body><header><strong>spotsafe</strong><a href="/">Overview</a><a href="/docs">API</a>
<a href="/metrics">Metrics</a></header>
<main>{body}</main></body></html>
"""


def page(title: str, body: str) -> HTMLResponse:
    """An HTML answer. *title* is escaped here; *body* is HTML whose parts its maker has escaped."""
    html = _PAGE.format(title=escape(title), style=_style(), body=body)
    return HTMLResponse(html, headers={"content-security-policy": content_security_policy()})


@cache
def _style() -> str:
    return (files("spotsafe.service.pages") / "style.css").read_text("utf-8")


@cache
def content_security_policy() -> str:
    """No script, no frame, no form, no foreign resource; only our own style sheet, by its hash."""
    digest = b64encode(sha256(_style().encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
