"""Actions of a command: ``spotsafe models list``, ``spotsafe train text``."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    Actions = argparse._SubParsersAction[argparse.ArgumentParser]  # argparse has no public name for it


def actions_of(parser: argparse.ArgumentParser, dest: str = "action") -> Actions:
    """Where the actions of a command go; the chosen one is found as *dest* among the arguments."""
    return parser.add_subparsers(dest=dest, metavar=dest, required=True, title=f"{dest}s")


def add_action(actions: Actions, name: str, about: str) -> argparse.ArgumentParser:
    """One more action, with its one-line help; its own options are still to be added."""
    action = actions.add_parser(name, help=about, description=f"{about[0].upper()}{about[1:]}.")
    # The command has --json too; where it is given before the action it must survive.
    action.add_argument(
        "--json", action="store_true", default=argparse.SUPPRESS, help="print one JSON document"
    )
    return action
