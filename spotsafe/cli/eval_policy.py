"""``spotsafe eval policy``: what a policy does to data, and what changes between two."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spotsafe.cli.eval_options import add_data, dataset_of, progress_of, require_same_data
from spotsafe.cli.eval_policy_tables import show_changes, show_figures
from spotsafe.cli.output import Output
from spotsafe.cli.sources import add_waivers, policies_of
from spotsafe.core.errors import ConfigurationError

if TYPE_CHECKING:
    from spotsafe.evaluation.datasets.rows import DataSet
    from spotsafe.evaluation.policies.changes import SurfaceDifference
    from spotsafe.evaluation.policies.data import PolicyData
    from spotsafe.evaluation.runs.run import ScoredRun
    from spotsafe.policy.surface import PolicySet


NAMED = 6
"""Labels that a suggested command names one by one."""


def add_scored(parser: argparse.ArgumentParser) -> None:
    """Where scores come from: a run, or data and a detector."""
    parser.add_argument("--run", type=Path, metavar="RUN", help="the scores of an earlier run")
    add_data(parser, required=False)
    parser.add_argument(
        "--detector", default="local", metavar="SPEC", help="what scores the data (default: %(default)s)"
    )
    parser.add_argument("--limit", type=int, metavar="N", help="only the first N rows")
    parser.add_argument("--out", type=Path, metavar="DIR", help="keep the scores in this folder")


def scored(args: argparse.Namespace, labels: Sequence[str], out: Output) -> tuple[ScoredRun, DataSet | None]:
    """The run that the options name, scored for *labels* and those of the data; the data where they are
    named. Raises ConfigurationError, also where an earlier run was not scored for all of *labels*."""
    from spotsafe.cli.eval_run import RUNS, chosen_detector, slug
    from spotsafe.core.labels import expand
    from spotsafe.evaluation.runs.run import open_run
    from spotsafe.evaluation.runs.scoring import score

    dataset = dataset_of(args) if args.data else None
    if args.run is not None:
        return _complete(open_run(args.run), labels), dataset
    if dataset is None:
        raise ConfigurationError("name what is judged: --data SET (with --detector), or --run RUN")
    wanted = expand([*labels, *dataset.labels])
    mark = sha256(" ".join(wanted).encode()).hexdigest()[:8]
    with chosen_detector(args.detector) as detector:
        run = score(
            detector,
            dataset,
            args.out or RUNS / f"{slug(f'{dataset.name}.{args.detector}')}.{mark}",
            labels=wanted,
            limit=args.limit,
            progress=progress_of(out, "scored"),
        )
    return run, dataset


def _complete(run: ScoredRun, labels: Sequence[str]) -> ScoredRun:
    """*run*, refused where rules read labels that it was never scored for: they would count as clean."""
    from spotsafe.evaluation.policies.data import unscored

    lacking = unscored(run, labels)
    if not lacking:
        return run
    whole = [*run.labels, *lacking]
    asked = " ".join(f"--labels {label}" for label in whole) if len(whole) <= NAMED else "--labels '*'"
    raise ConfigurationError(
        f"{run.folder} has no scores of {len(lacking)} labels that the policy reads, and what nobody scored "
        f"is not clean: {', '.join(lacking)}; score them too: spotsafe eval run --data SET --detector SPEC "
        f"{asked} --out NEW, then --run NEW (or give --data and --detector here instead of --run)"
    )


def tell_unsupported(data: PolicyData, labels: Sequence[str], out: Output) -> list[str]:
    """The labels that the detector never gives, which it also says to people."""
    found = list(data.unsupported(labels))
    if found:
        told = f"the detector gives no {', '.join(found)}: rules on them do what if_missing unsupported says"
        out.line(told, "warn")
    return found


def configure_policy(parser: argparse.ArgumentParser) -> None:
    """Options of the action."""
    parser.add_argument("before", type=Path, metavar="A.yaml", help="manifest file or folder")
    parser.add_argument(
        "after", type=Path, nargs="?", metavar="B.yaml", help="as it will be: show what changes"
    )
    add_scored(parser)
    parser.add_argument(
        "--surface", action="append", default=[], metavar="NAME", help="only this surface; again for more"
    )
    parser.add_argument(
        "--by", action="append", default=[], metavar="SLICE", help="break down by a slice, e.g. language"
    )
    parser.add_argument("--context", default="{}", metavar="JSON", help="context that conditions read")
    parser.add_argument("--examples", type=int, default=5, metavar="N", help="rows per change (%(default)s)")
    parser.add_argument(
        "--with-content",
        action="store_true",
        help="print what stands in the examples (default: row ids only)",
    )
    add_waivers(parser)


def policy(args: argparse.Namespace, out: Output) -> int:
    """0; between two policies 1 where something gets looser, or loses an effect while it gains something.
    Raises SpotsafeError."""
    from spotsafe.evaluation.policies.data import policy_data
    from spotsafe.evaluation.policies.outcomes import Circumstances

    now = time.time()
    before = policies_of([args.before], args.waivers, now)
    after = None if args.after is None else policies_of([args.after], args.waivers, now)
    labels = _labels(before, after, args.surface)
    run, dataset = scored(args, labels, out)
    if args.with_content and dataset is None:
        raise ConfigurationError("--with-content needs --data: runs keep no content, it is read again")
    if args.with_content and dataset is not None:
        require_same_data(run, dataset)
    given = Circumstances(_context(args.context), now)
    data = policy_data(run, labels)
    told = {"run": str(run.folder), "unsupported": tell_unsupported(data, labels, out)}
    if after is None:
        from spotsafe.evaluation.policies.measured import evaluate_policies

        found = evaluate_policies(before, data, surfaces=args.surface, groupings=args.by, circumstances=given)
        show_figures(found, out)
        out.json({**told, "surfaces": [figures.to_json() for figures in found]})
        return 0
    from spotsafe.evaluation.policies.changes import difference

    differences = difference(
        before, after, data, surfaces=args.surface, examples=args.examples, circumstances=given
    )
    shown = _contents(differences, dataset) if args.with_content and dataset is not None else {}
    show_changes(differences, shown, out)
    out.json({**told, "surfaces": [_plain(one, shown) for one in differences]})
    return 1 if any(one.looser.value or one.other.value for one in differences) else 0


def _labels(before: PolicySet, after: PolicySet | None, surfaces: Sequence[str]) -> list[str]:
    """Every label that a rule of the surfaces reads, on either side."""
    found: dict[str, None] = {}
    for policies in (before, after) if after is not None else (before,):
        for name in surfaces or list(policies.surfaces):
            chosen = policies.surface(name)
            if chosen is None:
                chosen = policies.baseline(name) if name in policies.baselines else policies.floor(name)
            found.update(dict.fromkeys(chosen.labels))
    return list(found)


def _context(text: str) -> Mapping[str, object]:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise ConfigurationError('--context must be a JSON object, e.g. {"author_age_days": 3}')
    return found


def _contents(found: Sequence[SurfaceDifference], dataset: DataSet) -> dict[int, list[dict[str, str]]]:
    from spotsafe.evaluation.reports.worst import contents

    return contents(dataset, [e.row for one in found for c in one.changes for e in c.examples])


def _plain(one: SurfaceDifference, shown: Mapping[int, list[dict[str, str]]]) -> dict[str, Any]:
    from spotsafe.evaluation.policies.measured import plain

    fields = {name: plain(value) for name, value in one._asdict().items() if name != "changes"}
    fields["changes"] = [
        {
            **{name: plain(value) for name, value in change._asdict().items() if name != "examples"},
            "examples": [
                {**e.to_json(), **({"content": shown[e.row]} if e.row in shown else {})}
                for e in change.examples
            ],
        }
        for change in one.changes
    ]
    return fields
