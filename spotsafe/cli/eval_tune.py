"""``spotsafe eval tune``: the threshold of a rule that keeps a promise, and the edit to the manifest."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spotsafe.cli.eval_policy import add_scored, scored, tell_unsupported
from spotsafe.cli.output import Output
from spotsafe.cli.sources import add_waivers, policies_of, surface_of
from spotsafe.core.errors import ConfigurationError

if TYPE_CHECKING:
    from spotsafe.evaluation.policies.certify import Target

PROMISES = {
    "precision": "of what the rule flags, at least this share violates",
    "recall": "of what violates, at least this share is flagged",
    "fpr": "of what is clean, at most this share is flagged",
    "load": "of all rows, at most this share is flagged",
}


def configure_tune(parser: argparse.ArgumentParser) -> None:
    """Options of the action."""
    parser.add_argument("manifest", type=Path, metavar="MANIFEST", help="manifest file or folder")
    parser.add_argument("--surface", required=True, help="the surface")
    parser.add_argument("--rule", required=True, help="the rule's id")
    for name, about in PROMISES.items():
        parser.add_argument(f"--{name}", type=float, metavar="SHARE", help=about)
    parser.add_argument(
        "--confidence", type=float, default=0.95, help="with which it is kept on new rows (%(default)s)"
    )
    add_scored(parser)
    parser.add_argument("--report", type=Path, metavar="FILE", help="write the frontier as one HTML file")
    parser.add_argument("--write", action="store_true", help="edit the threshold in the manifest")
    add_waivers(parser)


def tune(args: argparse.Namespace, out: Output) -> int:
    """0 where a threshold keeps the promise, 1 where none does. Raises SpotsafeError."""
    from spotsafe.evaluation.policies.data import policy_data
    from spotsafe.evaluation.policies.outcomes import Circumstances
    from spotsafe.evaluation.policies.tuning import to_json
    from spotsafe.evaluation.policies.tuning import tune as tuned

    now = time.time()
    targets = _targets(args)
    policy = surface_of(policies_of([args.manifest], args.waivers, now), args.surface)
    run, _ = scored(args, policy.labels, out)
    data = policy_data(run, policy.labels)
    unsupported = tell_unsupported(data, policy.labels, out)
    found = tuned(
        policy, args.rule, data, targets, confidence=args.confidence,
        circumstances=Circumstances(now=now),
    )  # fmt: skip
    told = to_json(found)
    if args.report is not None:
        from spotsafe.evaluation.reports.frontier import frontier_page

        args.report.write_text(frontier_page(told), "utf-8")
    if args.write and found.edit is not None:
        path = Path(found.edit.file)
        path.write_text(found.edit.applied(path.read_text("utf-8")), "utf-8")
    _show(told, out, wrote=args.write and found.edit is not None)
    out.json({"run": str(run.folder), "unsupported": unsupported, **told})
    return 0 if found.threshold is not None else 1


def _targets(args: argparse.Namespace) -> list[Target]:
    from spotsafe.evaluation.policies.certify import Target

    given = {name: getattr(args, name) for name in PROMISES if getattr(args, name) is not None}
    if not given:
        raise ConfigurationError(f"name what is promised: {', '.join('--' + name for name in PROMISES)}")
    for name, value in given.items():
        if not 0 < value < 1:
            raise ConfigurationError(f"--{name} {value:g}: write a share between 0 and 1")
    return [Target(name, value) for name, value in given.items()]


def _show(told: dict[str, Any], out: Output, *, wrote: bool) -> None:
    out.line(f"{told['rule']}: {', '.join(told['targets'])}", "bold")
    names = [*told["now"], "people"]
    before = {**told["now"], "people": told["people_now"]}
    after = {**told["then"], "people": told["people_then"]}
    out.table(
        f"Over {told['rows']} rows, {told['known']} of known truth",
        ("", "at present", "then"),
        [(name, _share(before[name]), _share(after.get(name))) for name in names],
    )
    if told["threshold"] is None:
        out.line(str(told["why"]), "bad")
        return
    out.line(f"threshold {told['threshold']:g} keeps it with {told['confidence']:.0%} confidence", "good")
    if told["edit"] is not None and told["edit"]["before"] == told["edit"]["after"]:
        out.line("that is the present threshold: nothing to edit")
    elif told["edit"] is not None:
        out.line(("written: " if wrote else "") + told["edit"]["words"])
    if told["unmeasured"]:
        out.line(f"not measured by these data: {', '.join(told['unmeasured'])}", "warn")


def _share(figure: dict[str, Any] | None) -> str | None:
    if figure is None:
        return None
    if figure["value"] is None:
        return "n/a"
    return f"{figure['value']:.1%} ({figure['low']:.1%} to {figure['high']:.1%})"
