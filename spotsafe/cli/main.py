"""``spotsafe``: one parser, one module per command, loaded only when that command is asked for."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib import import_module

from spotsafe._version import __version__
from spotsafe.cli.output import Output
from spotsafe.core.errors import ManifestError, SpotsafeError

COMMANDS = {
    "init": ("spotsafe.cli.init", "write a starter manifest for a surface"),
    "lint": ("spotsafe.cli.lint", "check manifests and waivers, every fault at once"),
    "explain": ("spotsafe.cli.explain", "show a surface's effective policy and where each rule comes from"),
    "test": ("spotsafe.cli.policy_test", "run the examples that manifests carry"),
    "diff": ("spotsafe.cli.diff", "show what gets stricter or laxer between two sets of manifests"),
    "schema": ("spotsafe.cli.schema", "print the JSON Schema of manifests for editors"),
    "check": ("spotsafe.cli.check", "check texts and files against a surface and show why"),
    "serve": ("spotsafe.cli.serve", "run the central service"),
    "demo": ("spotsafe.cli.demo", "run the main job on this machine, outage included"),
    "adoption": ("spotsafe.cli.adoption", "show which surfaces are guarded, how, and what is not"),
    "holds": ("spotsafe.cli.holds", "list, release or reject held content"),
    "jobs": ("spotsafe.cli.jobs", "list what a service checks after requests, requeue what it set aside"),
    "bank": ("spotsafe.cli.bank", "keep banks of known media: add, remove, list, import, match"),
    "eval": ("spotsafe.cli.eval", "measure engines and policies on data, compare, gate releases"),
    "models": ("spotsafe.cli.models", "keep versions of models: list, promote by a gate, roll back"),
    "train": ("spotsafe.cli.train", "rebuild shipped weights from data"),
}
"""Command → module with ``configure(parser)`` and ``run(args, out)``, and its one-line help: kept here, so
that the help imports none of them."""

FINE, UNUSABLE = 0, 2
"""Exit codes; 1, findings, is what commands return themselves."""


def parser(chosen: str | None = None) -> argparse.ArgumentParser:
    """The whole parser; only the *chosen* command's module is imported and asked for its options."""
    whole = argparse.ArgumentParser(
        prog="spotsafe", description="Safety by default for what users write, upload, say and ask."
    )
    whole.add_argument("--version", action="version", version=f"spotsafe {__version__}")
    commands = whole.add_subparsers(dest="command", metavar="command", title="commands")
    for name, (module, about) in COMMANDS.items():
        command = commands.add_parser(name, help=about, description=f"{about[0].upper()}{about[1:]}.")
        command.add_argument("--json", action="store_true", help="print one JSON document")
        if name == chosen:
            import_module(module).configure(command)
    return whole


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code: 0 fine, 1 findings, 2 unusable input."""
    words = list(sys.argv[1:] if argv is None else argv)
    chosen = next((word for word in words if not word.startswith("-")), None)
    whole = parser(chosen)
    args = whole.parse_args(words)
    if not args.command:
        whole.print_help()
        return UNUSABLE
    out = Output(as_json=args.json)
    try:
        return int(import_module(COMMANDS[args.command][0]).run(args, out))
    except ManifestError as error:
        out.json({"faults": [fault._asdict() for fault in error.faults]})
        for fault in error.faults:
            out.fault(fault, "bad", error=True)
        out.error(f"{len(error.faults)} fault(s)")
    except SpotsafeError as error:
        out.json({"error": str(error)})
        out.error(f"spotsafe {args.command}: {error}")
    except BrokenPipeError:
        return FINE
    except OSError as error:
        # A file that cannot be read or written; what commands expect of theirs they say themselves.
        place = "" if error.filename is None else f"{error.filename}: "
        message = f"{place}{error.strerror or type(error).__name__}; check the path and its permissions"
        out.json({"error": message})
        out.error(f"spotsafe {args.command}: {message}")
    except KeyboardInterrupt:
        out.json({"error": "interrupted"})
        out.error("interrupted")
        return 130
    return UNUSABLE


if __name__ == "__main__":
    sys.exit(main())
