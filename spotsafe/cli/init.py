"""``spotsafe init``: a starter manifest for a surface, and the platform's waiver file."""

from __future__ import annotations

import argparse
from pathlib import Path

from spotsafe.cli.output import Output
from spotsafe.cli.sources import DEFAULT
from spotsafe.core.errors import ConfigurationError


def configure(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    from spotsafe.policy.starter import AUDIENCES

    parser.add_argument("surface", help="the surface's name, e.g. comments.create")
    parser.add_argument(
        "--baseline", choices=tuple(AUDIENCES), default="public-ugc", help="what it extends (public-ugc)"
    )
    parser.add_argument("--team", default="my-team", help="the team that owns it")
    parser.add_argument("--owner", default="my-team@example.com", help="whom to ask")
    parser.add_argument("--dir", type=Path, default=DEFAULT, help=f"folder of the manifest ({DEFAULT}/)")
    parser.add_argument(
        "--waivers", type=Path, default=Path("waivers.yaml"), help="the platform's file (waivers.yaml)"
    )


def run(args: argparse.Namespace, out: Output) -> int:
    """Write both files. An existing manifest is never overwritten (ConfigurationError), an existing waiver
    file is left as it is."""
    from spotsafe.policy.starter import STARTER_WAIVERS, starter_manifest

    for option, value in (("--team", args.team), ("--owner", args.owner)):
        if not value or not all(c.isalnum() or c in "@._+-" for c in value):
            raise ConfigurationError(f"{option}: use letters, digits and @ . _ + - only")
    text = starter_manifest(args.surface, baseline=args.baseline, team=args.team, owner=args.owner)
    manifest = args.dir / f"{args.surface.replace('.', '-')}.yaml"
    if not _write(manifest, text):
        raise ConfigurationError(f"{manifest} exists: nothing was written; edit it, or name another --dir")
    kept = not _write(args.waivers, STARTER_WAIVERS)
    out.json({"manifest": str(manifest), "waivers": str(args.waivers), "waivers_kept": kept})
    out.line(f"wrote {manifest}", "good")
    out.line(f"kept {args.waivers}" if kept else f"wrote {args.waivers}", "dim" if kept else "good")
    out.line(f"next: put @safe_surface({args.surface!r}) on the handler; spotsafe lint {args.dir}")
    return 0


def _write(path: Path, text: str) -> bool:
    """Whether *path* was written: exclusively, so that nothing is ever overwritten."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        return False
    except OSError:
        raise ConfigurationError(f"{path} cannot be written: check the folder and its permissions") from None
    return True
