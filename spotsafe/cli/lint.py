"""``spotsafe lint``: every fault of all manifests at once, then what is allowed but hardly meant."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from spotsafe.cli.output import Output
from spotsafe.cli.sources import add_manifests, policies_of
from spotsafe.core.errors import ConfigurationError, Fault, ManifestError

if TYPE_CHECKING:
    from spotsafe.policy.surface import PolicySet


def configure(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    add_manifests(parser)
    parser.add_argument(
        "--no-detector",
        action="store_true",
        help="do not compare with what the local engine can give (labels and languages)",
    )


def run(args: argparse.Namespace, out: Output) -> int:
    """0 where there is nothing to say, 1 for warnings, 2 for faults."""
    try:
        policies = policies_of(args.manifests, args.waivers)
    except ManifestError as error:
        out.json({"faults": [fault._asdict() for fault in error.faults], "warnings": []})
        for fault in error.faults:
            out.fault(fault, "bad")
        out.line(f"{len(error.faults)} fault(s)", "bad")
        return 2
    warnings = list(policies.warnings)
    if not args.no_detector:
        warnings.extend(_reach(policies, out))
    warnings.sort()
    out.json({"faults": [], "warnings": [warning._asdict() for warning in warnings]})
    for warning in warnings:
        out.fault(warning, "warn")
    summary = f"{len(policies.surfaces)} surface(s), {len(policies.waivers)} waiver(s) in force"
    out.line(f"{summary}, {len(warnings)} warning(s)", "warn" if warnings else "good")
    return 1 if warnings else 0


def _reach(policies: PolicySet, out: Output) -> list[Fault]:
    """What the local engine cannot give; nothing where it is not installed."""
    from spotsafe.detectors.local import engine
    from spotsafe.policy.reach import reach_warnings

    try:
        capabilities = engine().capabilities()
    except ConfigurationError:
        out.line("the local engine is not installed: labels and languages were not compared", "dim")
        return []
    return reach_warnings(policies, capabilities)
