"""The page: one HTML file that needs nothing else, from a document.

No script, no request to anywhere: its own content security policy allows the one style sheet, by its hash,
and nothing more. Whatever came from data or detectors is escaped.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from html import escape
from importlib.resources import files
from typing import Any

from spotsafe.evaluation.reports import cells, ground, matrices, overview
from spotsafe.evaluation.reports.cells import RAW
from spotsafe.evaluation.reports.label_cards import label_card

Document = Mapping[str, Any]

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>{title} · spotsafe evaluation</title><style>{style}</style></head>
<body><div class="frame">
<nav aria-label="Contents"><a class="brand" href="#top">spotsafe evaluation</a>{nav}</nav>
<main id="top">{header}{body}</main></div></body></html>
"""

_THEMES = """<fieldset class="theme" aria-label="Colours">\
<label><input type="radio" name="theme" id="theme-auto" checked>auto</label>\
<label><input type="radio" name="theme" id="theme-light">light</label>\
<label><input type="radio" name="theme" id="theme-dark">dark</label></fieldset>"""


def page(document: Document) -> str:
    """The whole file."""
    parts = _parts(document)
    sections = "".join(body for _, _, body in parts)
    return frame(
        f"{document['data']['name']} × {document['run']['detector']}",
        nav=_nav(document, parts),
        header=_header(document),
        body=overview.tiles(document) + sections + _labels(document) + _foot(document),
    )


def frame(title: str, *, nav: RAW, header: RAW, body: RAW) -> str:
    """A page around *body*. *title* is escaped here."""
    return _PAGE.format(
        policy=content_security_policy(),
        title=escape(title),
        style=_style(),
        nav=nav,
        header=header,
        body=body,
    )


def _parts(document: Document) -> list[tuple[str, str, RAW]]:
    """(anchor, title, HTML) of the sections above the labels' cards; those without anything to show are
    left out."""
    found: list[tuple[str, str, RAW]] = []
    if document.get("gate"):
        found.append(("gate", "Gate", overview.gate_section(document["gate"])))
    if document.get("comparison"):
        found.append(("comparison", "Comparison", overview.comparison_section(document["comparison"])))
    found.append(("labels", "Labels", overview.labels_section(document)))
    if languages := matrices.languages_section(document):
        found.append(("languages", "Languages", languages))
    if document["functional"]:
        found.append(("functional", "Functional tests", matrices.functional_section(document["functional"])))
    if document["subgroups"]:
        found.append(("subgroups", "Subgroups", matrices.subgroups_section(document["subgroups"])))
    if document["confusion"]:
        found.append(("confusion", "Confusion", matrices.confusion_section(document["confusion"])))
    if document["spans"] or "spans" in document["refused"]:
        why = document["refused"].get("spans", "")
        found.append(("spans", "Places", matrices.spans_section(document["spans"], why)))
    return found


def _labels(document: Document) -> RAW:
    """The cards; the first with a curve is open, so that a reader sees what the others hold."""
    first = next((entry["label"] for entry in document["labels"] if entry["curve"]), None)
    cards = "".join(label_card(entry, opened=entry["label"] == first) for entry in document["labels"])
    closed = len(document["labels"]) - (first is not None)
    told = f"Click {'another' if first else 'a'} label to open it." if closed else ""
    lead = f'<p class="lead small">{told}</p>' if told else ""
    return f'<h2 id="cards">Label by label</h2>{lead}<div class="cards">{cards}</div>'


def _foot(document: Document) -> RAW:
    return ground.coverage_section(document) + ground.data_section(document) + ground.method_section(document)


def _header(document: Document) -> RAW:
    run, data = document["run"], document["data"]
    facts = (
        ("Detector", run["name"]),
        ("Parts and senses", run.get("join")),
        ("Data", data["name"]),
        ("Scored", ground.instant(run["created"])),
        ("spotsafe", run["product"]),
    )
    listed = "".join(f"<div><dt>{k}</dt><dd>{escape(str(v))}</dd></div>" for k, v in facts if v)
    changed = ""
    if len(run["versions"]) > 1:
        versions = ", ".join(run["versions"])
        changed = f'<p class="warn small">The detector changed while it was asked: {escape(versions)}.</p>'
    changed += "".join(f'<p class="warn small">{escape(c)}</p>' for c in document.get("cautions", ()))
    return (
        f"<header><div><h1>{escape(data['name'])} × {escape(run['detector'])}</h1><dl>{listed}</dl>{changed}"
        f"</div>{_THEMES}</header>"
    )


def _nav(document: Document, parts: list[tuple[str, str, RAW]]) -> RAW:
    links = [(anchor, title) for anchor, title, _ in parts]
    foot = [("coverage", "Coverage"), ("data", "Data set"), ("method", "Method")]
    top = "".join(f'<a href="#{anchor}"><span>{escape(title)}</span></a>' for anchor, title in links)
    last = "".join(f'<a href="#{anchor}"><span>{title}</span></a>' for anchor, title in foot)
    labels = "".join(
        f'<a class="of-label" href="#{cells.anchor(entry["label"])}"><span>{escape(entry["label"])}</span>'
        f"<span>{cells.figure_words('auprc', entry['figures']['auprc']['value'])}</span></a>"
        for entry in document["labels"]
    )
    return f'{top}{last}<div class="part">Labels, AUPRC</div>{labels}'


@cache
def _style() -> str:
    return (files("spotsafe.evaluation.reports") / "report.css").read_text("utf-8")


@cache
def content_security_policy() -> str:
    """Nothing but the page's own style sheet, by its hash."""
    digest = b64encode(sha256(_style().encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
