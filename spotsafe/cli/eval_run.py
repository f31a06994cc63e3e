"""``spotsafe eval run``: score data with a detector into a run, then report on it."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from spotsafe.cli.eval_options import add_data, add_report, dataset_of, named_set, progress_of
from spotsafe.cli.eval_report import reported
from spotsafe.cli.output import Output
from spotsafe.core.errors import ConfigurationError

if TYPE_CHECKING:
    from spotsafe.core.seams import Detector

RUNS = Path("eval-runs")
"""Where runs go when no folder is named."""


def configure_run(parser: argparse.ArgumentParser) -> None:
    """Options of the action."""
    add_data(parser)
    parser.add_argument(
        "--detector", required=True, metavar="SPEC",
        help="local, local:first, https://SERVICE, openai:[MODEL][@URL], mistral:…, azure:ENDPOINT, "
        "llama-guard:MODEL@URL or safeguard:MODEL@URL; keys come from the environment",
    )  # fmt: skip
    parser.add_argument(
        "--broad", action="store_true", help="let a vendor's category speak for narrower labels too"
    )
    parser.add_argument(
        "--labels", action="append", default=[], metavar="LABEL", help="only these labels or patterns"
    )
    parser.add_argument(
        "--trained-on", action="append", default=[], metavar="SET[@SPLIT]",
        help="refuse to measure where rows also stand, alike, in this set; again for more",
    )  # fmt: skip
    parser.add_argument("--limit", type=int, metavar="N", help="only the first N rows")
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help=f"the run's folder (default: {RUNS}/DATA.DETECTOR)"
    )
    parser.add_argument(
        "--batch", type=int, default=32, metavar="N", help="rows per call (default: %(default)s)"
    )
    parser.add_argument("--timeout", type=float, metavar="SECONDS", help="per call of the detector")
    add_report(parser)


def run(args: argparse.Namespace, out: Output) -> int:
    """0, or 1 where the gate is not kept. Raises SpotsafeError."""
    from spotsafe.evaluation.gates.model import read_gate
    from spotsafe.evaluation.runs.scoring import Pace, score

    if args.batch < 1:
        raise ConfigurationError(f"--batch {args.batch}: give 1 or more")
    gate = None if args.gate is None else read_gate(args.gate)  # a fault shows before hours of scoring
    dataset = dataset_of(args)
    if args.trained_on:
        from spotsafe.evaluation.datasets.checks import refuse_leaks

        out.progress("looking for rows of the training sets")
        refuse_leaks([named_set(spec, args.folder) for spec in args.trained_on], dataset)
    with chosen_detector(args.detector, broad=args.broad) as detector:
        scored = score(
            detector,
            dataset,
            args.out or RUNS / slug(f"{dataset.name}.{args.detector}"),
            labels=args.labels or None,
            limit=args.limit,
            pace=Pace(batch=args.batch, timeout=args.timeout),
            progress=progress_of(out, "scored"),
        )
    return reported(scored, args, out, gate=gate, dataset=dataset)


@contextmanager
def chosen_detector(spec: str, *, broad: bool = False) -> Iterator[Detector]:
    """The detector that *spec* names, closed in the end. Raises ConfigurationError."""
    from spotsafe.detectors import loading
    from spotsafe.detectors.backends.choose import detector

    chosen = detector(spec, environ=os.environ, broad=broad)
    try:
        yield chosen
    finally:
        loading.close(chosen)


def slug(words: str) -> str:
    """Words as a folder's name."""
    return re.sub(r"[^A-Za-z0-9.]+", "-", words).strip("-.")[:80]
