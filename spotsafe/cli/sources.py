"""The options and inputs that the policy commands share: manifests, the platform's file, the time."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING

from spotsafe.core.errors import ConfigurationError

if TYPE_CHECKING:
    from spotsafe.policy.surface import PolicySet, SurfacePolicy

DEFAULT = Path("safety")
"""Where manifests are looked for when none are named."""


def add_manifests(parser: argparse.ArgumentParser) -> None:
    """``MANIFEST…`` (files or folders) and ``--waivers FILE``."""
    # argparse calls an optional positional required in its usage errors, unless its default is not None.
    parser.add_argument(
        "manifests", nargs="*", type=Path, default=[], help=f"manifest files or folders (default: {DEFAULT}/)"
    )
    add_waivers(parser)


def add_waivers(parser: argparse.ArgumentParser) -> None:
    """``--waivers FILE``."""
    parser.add_argument(
        "--waivers", type=Path, metavar="FILE", help="the platform's file, where waivers count"
    )


def policies_of(manifests: list[Path], waivers: Path | None, now: float | None = None) -> PolicySet:
    """The policies that the options name. Raises ManifestError, and ConfigurationError where nothing is
    named and the default folder does not exist."""
    from spotsafe.policy.load import load

    if not manifests and not DEFAULT.is_dir():
        raise ConfigurationError(
            f"no manifests named and no folder {DEFAULT}/ here: name files, or write one with spotsafe init"
        )
    return load(manifests or [DEFAULT], waivers=waivers, now=time.time() if now is None else now)


def surface_of(policies: PolicySet, name: str) -> SurfacePolicy:
    """The policy of surface *name*; a baseline's own for ``baseline/NAME``. Raises ConfigurationError."""
    from spotsafe.policy.surface import required_surface
    from spotsafe.policy.wording import nearest, shown

    if name in policies.baselines:
        return policies.baseline(name)
    if name.startswith("baseline/"):
        known = f"there are: {', '.join(policies.baselines)}"
        close = nearest(name, policies.baselines)
        raise ConfigurationError(f"no baseline {shown(name)}; {f'{close} ({known})' if close else known}")
    return required_surface(policies, name)
