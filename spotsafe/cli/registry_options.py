"""The options that name a registry of models and say whose signature counts, and the registry they name."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from spotsafe.core.clock import SystemClock
from spotsafe.core.errors import ConfigurationError, missing_extra

if TYPE_CHECKING:
    from spotsafe.learning.registry.reading import RegistryReader
    from spotsafe.learning.registry.registry import Registry
    from spotsafe.learning.registry.seen import Seen

REGISTRY = Path("models")
TRUST_VARIABLE = "SPOTSAFE_REGISTRY_KEY"


def add_trust(parser: argparse.ArgumentParser) -> None:
    """``--trust``, ``--state``, ``--least-serial``."""
    parser.add_argument(
        "--trust", type=Path, action="append", default=[], metavar="FILE",
        help=f"public key that may have signed the registry (default: ${TRUST_VARIABLE}, or that of --key)",
    )  # fmt: skip
    parser.add_argument(
        "--state", type=Path, metavar="FILE",
        help="where the last index seen is remembered, so that no older one is taken for the current "
        "(default: $SPOTSAFE_REGISTRY_STATE, else in the user's folder for state)",
    )  # fmt: skip
    parser.add_argument(
        "--least-serial", type=int, default=0, metavar="N",
        help="refuse an index with a lower number: for machines that start without a memory",
    )  # fmt: skip


def reader_of(args: argparse.Namespace) -> RegistryReader:
    """The registry that the options name, for reading. Raises ConfigurationError."""
    needed()
    from spotsafe.learning.registry.keys import public_key
    from spotsafe.learning.registry.reading import RegistryReader

    trusted = [public_key(path) for path in _trusted(args.trust)]
    if not trusted:
        raise ConfigurationError(
            f"say whose signature counts: --trust FILE.pub, or {TRUST_VARIABLE} in the environment"
        )
    return RegistryReader(
        args.registry, trusted, clock=SystemClock(), seen=seen_of(args), least_serial=args.least_serial
    )


def registry_of(args: argparse.Namespace) -> Registry:
    """The registry that the options name, to be changed with ``--key``. Raises ConfigurationError."""
    needed()
    from spotsafe.learning.registry.keys import private_key, public_key
    from spotsafe.learning.registry.registry import Registry

    return Registry(
        args.registry, private_key(args.key), clock=SystemClock(), seen=seen_of(args),
        trusted=[public_key(path) for path in _trusted(args.trust)], least_serial=args.least_serial,
    )  # fmt: skip


def seen_of(args: argparse.Namespace) -> Seen:
    """What this user saw of registries. Raises ConfigurationError."""
    from spotsafe.learning.registry.seen import Seen, default_path

    return Seen(args.state or default_path(os.environ))


def needed() -> None:
    """Raises ConfigurationError with the install line where signatures cannot be checked."""
    if find_spec("cryptography") is None:
        raise missing_extra("eval", "the registry of models")


def _trusted(given: Sequence[Path]) -> list[Path]:
    named = os.environ.get(TRUST_VARIABLE, "").split(os.pathsep)
    return list(given) or [Path(word) for word in named if word]
