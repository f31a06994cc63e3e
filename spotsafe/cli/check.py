"""``spotsafe check``: texts and files against a surface: scores, the rules that fired, and the places."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from spotsafe.cli.check_parts import Item, context_of, joint
from spotsafe.cli.check_shown import show
from spotsafe.cli.evidence import show_evidence
from spotsafe.cli.output import Output
from spotsafe.cli.sources import DEFAULT, policies_of, surface_of
from spotsafe.cli.subjects import subjects
from spotsafe.cli.unread import reasons_unread
from spotsafe.cli.waiting import PATIENCE, decided
from spotsafe.core.decision import Decision, Disposition
from spotsafe.core.errors import ConfigurationError
from spotsafe.policy.load import builtin

UNDECLARED = "check"
"""The name under which the floor decides where no surface is named."""

FINE, FINDINGS, UNUSABLE = 0, 1, 2


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument(
        "content",
        nargs="*",
        help="a text, or files: pictures, sound, video; '-' or nothing reads a text",
    )
    parser.add_argument(
        "--part",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a part of one content, a text or a file; repeat it: all parts are checked together",
    )
    parser.add_argument(
        "--context",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="what the surface's 'when' conditions read, typed as its manifest declares (strings: a,b,c)",
    )
    parser.add_argument("--surface", help="surface whose policy decides (default: the floor)")
    parser.add_argument(
        "--manifests", type=Path, help=f"file or folder of manifests (default: {DEFAULT}/ where it exists)"
    )
    parser.add_argument("--service", help="address of a service; without it the local engine checks")
    parser.add_argument("--api-key", help="key of the service; better in $SPOTSAFE_API_KEY, which ps hides")
    parser.add_argument(
        "--language", action="append", default=[], help="language of the content, e.g. de; else the surface's"
    )
    parser.add_argument(
        "--evidence", type=Path, metavar="FOLDER", help="save pictures here, with boxes around what was found"
    )


def run(args: argparse.Namespace, out: Output) -> int:
    """0 when everything passes, 1 when something is limited, held or blocked, 2 when something that the
    policy lets pass could not be checked at all, one part of a content included."""
    from spotsafe.client.client import Client

    if args.part and args.content:
        raise ConfigurationError("--part says what to check: give the other words as parts too, NAME=VALUE")
    given = [] if args.part else subjects(args.content, sys.stdin)
    manifests = args.manifests or (DEFAULT if DEFAULT.is_dir() else None)
    if args.surface:
        # Raises for faults and for an unknown surface: a product would go on and hold, a person corrects.
        surface_of(policies_of([manifests], None) if manifests else builtin(), args.surface)
    elif args.context:
        raise ConfigurationError("--context needs --surface: the context is declared in a surface's manifest")
    client = Client(
        manifests=manifests,
        service=args.service,
        api_key=args.api_key or os.environ.get("SPOTSAFE_API_KEY"),
        app="spotsafe-check",
        telemetry=False,
    )
    documents: list[dict[str, Any]] = []
    blind = False
    with _errors_only(), client:
        policy = client.policy(args.surface or UNDECLARED).changed(deadline=PATIENCE)
        items = [joint(args.part, policy)] if args.part else [Item((s.named_for(policy),)) for s in given]
        context = context_of(args.context, policy)
        for item in items:
            out.progress(f"checking {item.title}")
            content = item.content(args.language or policy.languages)
            waited = decided(client, policy, content, context=context)
            decision = waited.decision
            if item.is_joint or len(given) > 1 or item.subjects[0].path is not None:
                out.line(item.title, "bold")
            why = reasons_unread(item.subjects, decision, service=bool(args.service))
            document = show(decision, item, out, why) | waited.document
            if waited.message is not None:
                out.line(f"{item.title}: {waited.message}", "bad")
            documents.append(document | _drawn(decision, item, out, args.evidence))
            blind = blind or bool(why) or not decision.signals.scores
    out.json(documents[0] if len(documents) == 1 else documents)
    if not all(document["disposition"] == Disposition.ALLOW.word for document in documents):
        return FINDINGS
    return UNUSABLE if blind else FINE


@contextmanager
def _errors_only() -> Iterator[None]:
    """Warnings of a client's start are for operators; ``spotsafe lint`` shows them to people."""
    log = logging.getLogger("spotsafe")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(level)


def _drawn(decision: Decision, item: Item, out: Output, folder: Path | None) -> dict[str, Any]:
    """Show the evidence; where it was saved, as a part of the JSON document."""
    saved = [
        path
        for subject in item.subjects
        for path in show_evidence(
            subject, decision, out, folder, part=subject.part if item.is_joint else None
        )
    ]
    return {"evidence_saved_to": [str(path) for path in saved]} if saved else {}
