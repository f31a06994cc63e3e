"""The options that the actions of ``spotsafe eval`` share: data, thresholds, reports."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from math import inf
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from spotsafe.cli.output import Output
from spotsafe.core.errors import ConfigurationError

if TYPE_CHECKING:
    from spotsafe.evaluation.datasets.opening import MappedSet
    from spotsafe.evaluation.datasets.rows import DataSet
    from spotsafe.evaluation.reports.document import Options
    from spotsafe.evaluation.runs.measures import Costs
    from spotsafe.evaluation.runs.run import ScoredRun

EVERY = 0.2
"""Seconds between two progress lines."""


def add_data(parser: argparse.ArgumentParser, *, required: bool = True) -> None:
    """``--data``, ``--mapping``, ``--split``, ``--folder``."""
    parser.add_argument(
        "--data", required=required, metavar="SET",
        help="a data file (JSONL, CSV, Parquet), a mapping file, or the name of a registered set",
    )  # fmt: skip
    parser.add_argument(
        "--mapping",
        type=Path,
        metavar="FILE",
        help="what the columns mean (default: NAME.mapping.yaml beside it)",
    )
    parser.add_argument("--split", help="only the rows of this split")
    parser.add_argument(
        "--folder", type=Path, metavar="DIR", help="where the files of a registered set stand"
    )


def dataset_of(args: argparse.Namespace) -> MappedSet:
    """The data set that the options name. Raises ConfigurationError."""
    from spotsafe.evaluation.datasets.opening import open_dataset

    return open_dataset(args.data, mapping=args.mapping, split=args.split, folder=args.folder)


def named_set(spec: str, folder: Path | None) -> MappedSet:
    """The set that ``SET`` or ``SET@SPLIT`` names. Raises ConfigurationError."""
    from spotsafe.evaluation.datasets.opening import open_dataset

    name, sign, split = spec.rpartition("@")
    if not sign or Path(spec).exists():
        return open_dataset(spec, folder=folder)
    return open_dataset(name, split=split, folder=folder)


def require_same_data(run: ScoredRun, dataset: DataSet) -> None:
    """Raises ConfigurationError where *dataset* is not what *run* was scored on: its rows would be other
    rows' content."""
    if dataset.digest != run.meta.digest:
        raise ConfigurationError(
            f"{dataset.name} is not what {run.folder} was scored on (its digest differs): name the same data"
        )


def add_thresholds(parser: argparse.ArgumentParser) -> None:
    """``--threshold LABEL=VALUE`` and the surface whose rules give thresholds."""
    parser.add_argument(
        "--threshold", action="append", default=[], metavar="LABEL=VALUE",
        help="cut the scores of a label or pattern here, e.g. hate.*=0.7 (default: 0.5)",
    )  # fmt: skip
    parser.add_argument(
        "--manifests", type=Path, metavar="FILE", help="manifests whose rules give the thresholds"
    )
    parser.add_argument("--surface", help="the surface in them")


def thresholds_of(args: argparse.Namespace) -> dict[str, float]:
    """Label → threshold: those of the surface's rules, then those named. Raises ConfigurationError."""
    from spotsafe.core.labels import expand
    from spotsafe.evaluation.gates.model import cut_of

    found: dict[str, float] = {}
    if args.surface or args.manifests:
        found.update(_of_surface(args))
    named: dict[str, float] = {}
    for given in args.threshold:
        pattern, _, value = given.rpartition("=")
        try:
            cut = float(value)
        except ValueError:
            cut = -1.0
        if not expand([pattern]) or not 0 <= cut <= 1:
            raise ConfigurationError(
                f"--threshold {given[:60]}: write a label or pattern of the taxonomy, =, and a number from "
                "0 to 1, e.g. hate.*=0.7"
            )
        named[pattern] = cut
    return {**found, **cut_of(named)}


def costs_of(args: argparse.Namespace) -> dict[str, Costs]:
    """Label → what its errors cost, the most specific pattern winning. Raises ConfigurationError."""
    from spotsafe.core.labels import expand
    from spotsafe.evaluation.gates.model import cut_of
    from spotsafe.evaluation.runs.measures import Costs

    named: dict[str, Costs] = {}
    for given in args.cost:
        pattern, _, prices = given.rpartition("=")
        try:
            alarm, miss = (float(price) for price in prices.split(":"))
        except ValueError:
            alarm = miss = -1.0
        if not expand([pattern]) or not (0 < alarm < inf and 0 < miss < inf):
            raise ConfigurationError(
                f"--cost {given[:60]}: write a label or pattern of the taxonomy, =, and two prices above 0, "
                "of a false alarm and of a miss, e.g. hate.*=1:10"
            )
        named[pattern] = Costs(alarm, miss)
    return cut_of(named)


def _of_surface(args: argparse.Namespace) -> dict[str, float]:
    """The lowest threshold of each label among the surface's rules: where the policy first does something."""
    from spotsafe.cli.sources import policies_of, surface_of

    if not args.surface:
        raise ConfigurationError("--manifests needs --surface: name the surface whose rules give thresholds")
    policy = surface_of(policies_of([args.manifests] if args.manifests else [], None), args.surface)
    found: dict[str, float] = {}
    for rule in policy.rules:
        for label in rule.labels:
            found[label] = min(rule.at, found.get(label, 1.0))
    return found


def add_report(parser: argparse.ArgumentParser) -> None:
    """What a report is made with."""
    add_thresholds(parser)
    parser.add_argument(
        "--cost", action="append", default=[], metavar="LABEL=ALARM:MISS",
        help="what a false alarm and a miss cost, e.g. hate.*=1:10 (default: 1:1)",
    )  # fmt: skip
    parser.add_argument(
        "--gate", type=Path, metavar="FILE", help="requirements; exit 1 where one is not kept"
    )
    parser.add_argument("--against", type=Path, metavar="RUN", help="another run over the same rows")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write the report as one HTML file")
    parser.add_argument(
        "--with-content", action="store_true",
        help="put the content of the worst errors into the report (default: row ids only)",
    )  # fmt: skip
    parser.add_argument(
        "--functional",
        default="functionality",
        metavar="SLICE",
        help="slice of functional tests (%(default)s)",
    )
    parser.add_argument(
        "--subgroups", default="target", metavar="SLICE", help="slice of identity groups (%(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the bootstrap (default: %(default)s)")


def report_options(args: argparse.Namespace) -> Options:
    """The report's options. Raises ConfigurationError."""
    from spotsafe.evaluation.reports.document import Options

    return Options(thresholds_of(args), args.functional, args.subgroups, args.seed, costs=costs_of(args))


def progress_of(
    out: Output, what: str, now: Callable[[], float] = monotonic
) -> Callable[[int, int | None], None]:
    """Rows done as a progress line, a few times a second, with the rest estimated from the pace so far."""
    began, shown, first = now(), [0.0], [-1]

    def told(done: int, total: int | None) -> None:
        if first[0] < 0:
            first[0] = done
        moment = now()
        if moment - shown[0] < EVERY and done != total:
            return
        shown[0] = moment
        made = done - first[0]
        left = "" if not made or total is None else f", {(moment - began) / made * (total - done):.0f} s left"
        of = f" of {total}" if total is not None else ""
        out.progress(f"{what} {done}{of} rows{left}")

    return told
