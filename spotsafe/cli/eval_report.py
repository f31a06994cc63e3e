"""``spotsafe eval report`` and ``compare``: what runs that were made earlier say."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spotsafe.cli.eval_options import (
    add_data,
    add_report,
    add_thresholds,
    dataset_of,
    report_options,
    require_same_data,
    thresholds_of,
)
from spotsafe.cli.output import Output
from spotsafe.core.errors import ConfigurationError

if TYPE_CHECKING:
    from spotsafe.evaluation.datasets.rows import DataSet
    from spotsafe.evaluation.gates.model import Gate
    from spotsafe.evaluation.runs.run import ScoredRun


def configure_report(parser: argparse.ArgumentParser) -> None:
    """Options of the action."""
    parser.add_argument("run", type=Path, metavar="RUN", help="the folder of a run")
    add_data(parser, required=False)
    add_report(parser)


def report(args: argparse.Namespace, out: Output) -> int:
    """0, or 1 where the gate is not kept. Raises SpotsafeError."""
    from spotsafe.evaluation.gates.model import read_gate
    from spotsafe.evaluation.runs.run import open_run

    gate = None if args.gate is None else read_gate(args.gate)
    if args.with_content and not args.data:
        raise ConfigurationError("--with-content needs --data: runs keep no content, it is read again")
    dataset = dataset_of(args) if args.data else None
    return reported(open_run(args.run), args, out, gate=gate, dataset=dataset)


def reported(
    run: ScoredRun, args: argparse.Namespace, out: Output, *, gate: Gate | None, dataset: DataSet | None
) -> int:
    """Print the report of *run*, write it where asked, check the gate: the exit code."""
    from spotsafe.evaluation.compare import compare
    from spotsafe.evaluation.gates.check import check_gate
    from spotsafe.evaluation.reports.document import document
    from spotsafe.evaluation.reports.terminal import show
    from spotsafe.evaluation.runs.run import open_run

    options = report_options(args)
    if gate is not None:
        options = options._replace(
            thresholds={**options.thresholds, **gate.thresholds}, costs={**options.costs, **gate.costs}
        )
    against = None if args.against is None else open_run(args.against)
    found = document(run, options, out.progress)
    if against is not None:
        out.progress("comparing")
        found["comparison"] = compare(against, run, thresholds=options.thresholds, seed=args.seed).to_json()
    if gate is not None:
        out.progress("checking the gate")
        result = check_gate(
            gate, run, against=against, thresholds=options.thresholds, costs=options.costs, seed=args.seed
        )
        found["gate"] = result.to_json()
    if args.with_content and dataset is not None:
        _fill(found, run, dataset)
    found["cautions"] += cautions(run)
    found["folder"] = str(run.folder)
    if args.report is not None:
        _write(args.report, found)
        found["report"] = str(args.report)
    show(found, out)
    out.line(f"run: {run.folder}" + (f"  report: {args.report}" if args.report else ""), "dim")
    out.json(found)
    return 1 if gate is not None and not found["gate"]["passed"] else 0


def cautions(run: ScoredRun) -> list[str]:
    """What a reader must know of these figures before any other: that they flatter."""
    from spotsafe.learning.text.sources import shipped_registry

    name = run.meta.dataset
    trained_on = {source.name for source in shipped_registry() if source.weight > 0}
    if not run.meta.detector.startswith("local") or name not in trained_on:
        return []
    told = (
        f"The local engine was trained on rows of {name}: figures over it flatter. Measure on data of your "
    )
    return [f"{told}own, or see docs/engine.md for sets that were left out."]


def _fill(found: dict[str, Any], run: ScoredRun, dataset: DataSet) -> None:
    """Put the content of the worst errors in. ConfigurationError where the data are not those of the run."""
    from spotsafe.evaluation.reports.worst import contents, with_contents

    require_same_data(run, dataset)
    shown = contents(dataset, [error["row"] for entry in found["labels"] for error in entry["worst"]])
    for entry in found["labels"]:
        entry["worst"] = with_contents(entry["worst"], shown)


def _write(path: Path, found: dict[str, Any]) -> None:
    from spotsafe.evaluation.reports.page import page

    if path.parent != Path():
        path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page(found), "utf-8")


def configure_compare(parser: argparse.ArgumentParser) -> None:
    """Options of the action."""
    parser.add_argument("first", type=Path, metavar="RUN_A", help="the run that is compared with")
    parser.add_argument("second", type=Path, metavar="RUN_B", help="the run that is judged")
    parser.add_argument(
        "--metric", action="append", default=[], metavar="NAME",
        help="auprc, auroc, recall, precision, f1, fpr, accuracy or brier; again for more (default: auprc "
        "and auroc)",
    )  # fmt: skip
    parser.add_argument(
        "--labels", action="append", default=[], metavar="LABEL", help="only these labels or patterns"
    )
    parser.add_argument(
        "--slice", action="append", default=[], metavar="NAME=VALUE", help="only rows with this value"
    )
    add_thresholds(parser)
    parser.add_argument("--seed", type=int, default=0, help="of the bootstrap (default: %(default)s)")


def compare(args: argparse.Namespace, out: Output) -> int:
    """0, or 1 where the second run is shown to be worse somewhere. Raises SpotsafeError."""
    from spotsafe.evaluation.compare import Verdict
    from spotsafe.evaluation.compare import compare as compared
    from spotsafe.evaluation.reports.terminal import show_comparison
    from spotsafe.evaluation.runs.run import open_run

    first, second = open_run(args.first), open_run(args.second)
    out.progress("comparing")
    found = compared(
        first, second, labels=args.labels or None, metrics=args.metric or ("auprc", "auroc"),
        thresholds=thresholds_of(args), mask=first.select(_slices(args.slice)), seed=args.seed,
    )  # fmt: skip
    show_comparison(found.to_json(), out)
    out.json(found.to_json())
    told = [d.verdict for d in (*found.means, *found.differences)]
    worse = told.count(Verdict.WORSE)
    words = ", ".join(f"{told.count(verdict)} {verdict.value}" for verdict in Verdict if verdict in told)
    out.line(words or "nothing to compare", "bad" if worse else "good")
    return 1 if worse else 0


def _slices(given: list[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for entry in given:
        name, sign, value = entry.partition("=")
        if not sign or not name:
            raise ConfigurationError(f"--slice {entry[:60]}: write NAME=VALUE, e.g. language=de")
        found.setdefault(name, []).append(value)
    return found
