"""``spotsafe test``: run the examples that manifests carry, shown by number and never by content."""

from __future__ import annotations

import argparse
import os
import time
from typing import TYPE_CHECKING

from spotsafe.cli.output import Output
from spotsafe.cli.sources import add_manifests, policies_of
from spotsafe.core.errors import ConfigurationError, DetectorError

if TYPE_CHECKING:
    from spotsafe.policy.examples import Detect
    from spotsafe.policy.surface import PolicySet


def configure(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    add_manifests(parser)
    parser.add_argument("--surface", action="append", default=[], help="only this surface; repeat it")
    parser.add_argument("--service", metavar="URL", help="ask this service instead of the local engine")
    parser.add_argument(
        "--api-key-variable",
        default="SPOTSAFE_API_KEY",
        metavar="NAME",
        help="environment variable that holds the service's key (SPOTSAFE_API_KEY)",
    )


def run(args: argparse.Namespace, out: Output) -> int:
    """0 where all examples come out as expected, 1 where one does not, 2 where there is none to run."""
    from spotsafe.policy.examples import run_examples
    from spotsafe.policy.surface import required_surface

    now = time.time()
    policies = policies_of(args.manifests, args.waivers, now)
    for name in args.surface:
        required_surface(policies, name)
    detect = _detect(args, policies)
    try:
        results = list(run_examples(policies, detect, now, surfaces=args.surface))
    except DetectorError as error:
        raise ConfigurationError(f"the examples could not be run: {error}") from None
    failed = [result for result in results if not result.passed]
    out.json({"ran": len(results), "failed": len(failed), "examples": [r._asdict() for r in results]})
    if not results:
        out.error("there is no example to run: add 'examples' to the surfaces")
        return 2
    columns = ("surface", "example", "place", "expected", "got", "rules", "missing")
    rows = [
        (r.surface, r.number, r.place, r.expected, r.got, ", ".join(r.rules), ", ".join(r.causes) or None)
        for r in failed
    ]
    if rows:
        out.table("Not as expected", columns, rows)
    out.line(
        f"{len(results) - len(failed)} of {len(results)} examples as expected", "bad" if failed else "good"
    )
    return 1 if failed else 0


def _detect(args: argparse.Namespace, policies: PolicySet) -> Detect | None:
    """The detector's ``detect``; None where every example is scripted, so that none need be installed."""
    wanted = args.surface or list(policies.examples)
    scripted = all(
        example.scores is not None or example.missing is not None
        for name in wanted
        for example in policies.examples.get(name, ())
    )
    if scripted:
        return None
    if args.service is None:
        from spotsafe.detectors.local import engine

        return engine().detect
    from spotsafe.client.http import Exchange
    from spotsafe.client.remote import ServiceDetector

    key = os.environ.get(args.api_key_variable)
    return ServiceDetector(Exchange(args.service, key, monotonic=time.monotonic)).detect
