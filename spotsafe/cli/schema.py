"""``spotsafe schema``: the JSON Schema of manifests, for editors."""

from __future__ import annotations

import argparse
import json

from spotsafe.cli.output import Output


def configure(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    from spotsafe.policy.schema import KINDS

    parser.add_argument(
        "--kind",
        choices=tuple(KINDS),
        default="manifest",
        help="which kind of file (manifest)",
    )


def run(args: argparse.Namespace, out: Output) -> int:
    """Print it; ``--json`` changes nothing, since the schema is JSON."""
    from spotsafe.policy.schema import schema

    found = schema(args.kind)
    if out.as_json:
        out.json(found)
    else:
        out.line(json.dumps(found, indent=2, ensure_ascii=False))
    return 0
