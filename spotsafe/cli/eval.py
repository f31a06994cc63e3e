"""``spotsafe eval``: measure engines and policies on data, compare, tune thresholds, gate releases."""

from __future__ import annotations

import argparse
from importlib import import_module
from importlib.util import find_spec

from spotsafe.cli.actions import actions_of, add_action
from spotsafe.cli.output import Output
from spotsafe.core.errors import missing_extra

ACTIONS = {
    "run": ("spotsafe.cli.eval_run", "score data with a detector, report, and check a gate"),
    "compare": ("spotsafe.cli.eval_report", "two runs over the same rows, in pairs"),
    "report": ("spotsafe.cli.eval_report", "the report of a run that was made earlier"),
    "policy": ("spotsafe.cli.eval_policy", "what a policy does to data, and what changes between two"),
    "tune": ("spotsafe.cli.eval_tune", "the threshold that keeps a promise, and what can be reached"),
    "data": ("spotsafe.cli.eval_data", "a data set's card, its faults and leaks, its Croissant description"),
}
"""Action → module with ``configure_ACTION(parser)`` and ``ACTION(args, out)``, and its one-line help."""

NEEDED = ("numpy", "scipy", "sklearn")


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    actions = actions_of(parser)
    for name, (module, about) in ACTIONS.items():
        getattr(import_module(module), f"configure_{name}")(add_action(actions, name, about))


def run(args: argparse.Namespace, out: Output) -> int:
    """Run the action: 0 fine, 1 where a gate fails or a finding is shown. Raises SpotsafeError."""
    if any(find_spec(module) is None for module in NEEDED):
        raise missing_extra("eval", "evaluation")
    return int(getattr(import_module(ACTIONS[args.action][0]), args.action)(args, out))
