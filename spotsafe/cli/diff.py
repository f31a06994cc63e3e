"""``spotsafe diff``: what gets stricter or laxer per surface between two sets of manifests."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from spotsafe.cli.output import Output
from spotsafe.cli.sources import policies_of


def configure(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("before", type=Path, help="manifest file or folder as it was")
    parser.add_argument("after", type=Path, help="manifest file or folder as it will be")
    parser.add_argument("--waivers", type=Path, metavar="FILE", help="the platform's file, for both sides")
    parser.add_argument("--waivers-before", type=Path, metavar="FILE", help="the platform's file as it was")
    parser.add_argument(
        "--fail-on", choices=("laxer", "any"), default="laxer", help="which changes are findings (laxer)"
    )


def run(args: argparse.Namespace, out: Output) -> int:
    """0 without findings, 1 where something gets laxer (with ``--fail-on any``: where anything changes)."""
    from spotsafe.policy.difference import difference
    from spotsafe.policy.rule_changes import LAXER, STRICTER

    now = time.time()
    before = policies_of([args.before], args.waivers_before or args.waivers, now)
    after = policies_of([args.after], args.waivers, now)
    changes = difference(before, after, now)
    out.json({"changes": [change._asdict() for change in changes]})
    rows = [(c.surface, c.what, c.direction, c.before, c.after) for c in changes]
    if rows:
        out.table("Changes", ("surface", "what", "direction", "before", "after"), rows)
    laxer = [change for change in changes if change.direction == LAXER]
    stricter = [change for change in changes if change.direction == STRICTER]
    counted = (
        f"{len(stricter)} stricter, {len(laxer)} laxer, {len(changes) - len(laxer) - len(stricter)} changed"
    )
    out.line(counted if changes else "no difference", "warn" if laxer else "good")
    return 1 if laxer or (changes and args.fail_on == "any") else 0
