"""``spotsafe eval data card | check | croissant``: what a set holds, and whether it can be measured on."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from spotsafe.cli.eval_options import add_data, dataset_of, named_set, progress_of
from spotsafe.cli.output import Output
from spotsafe.core.errors import ConfigurationError

if TYPE_CHECKING:
    from spotsafe.evaluation.datasets.checks import Findings
    from spotsafe.evaluation.datasets.leakage import Pair

SHOWN = 20
"""Pairs of rows that are listed; all of them are in the JSON."""


def configure_data(parser: argparse.ArgumentParser) -> None:
    """Options of the action."""
    parser.add_argument("what", choices=("card", "check", "croissant"), help="what to print")
    add_data(parser)
    parser.add_argument(
        "--against", action="append", default=[], metavar="SET[@SPLIT]",
        help="with check: a set that a model is trained on; rows that stand in both are findings",
    )  # fmt: skip
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="write the card (Markdown) or Croissant (JSON)"
    )


def data(args: argparse.Namespace, out: Output) -> int:
    """0, or 1 where the check finds what makes figures wrong. Raises SpotsafeError."""
    if args.against and args.what != "check":
        raise ConfigurationError("--against goes with check")
    if args.out and args.what == "check":
        raise ConfigurationError("--out goes with card and croissant; a check is printed")
    if args.what == "check":
        return _check(args, out)
    return _card(args, out) if args.what == "card" else _croissant(args, out)


def _card(args: argparse.Namespace, out: Output) -> int:
    from spotsafe.evaluation.datasets.card import facts, markdown

    found = facts(dataset_of(args))
    text = markdown(found)
    if args.out is not None:
        args.out.write_text(text, "utf-8")
        out.line(f"written: {args.out}", "good")
    else:
        out.line(text.rstrip("\n"))
    out.json(found.as_json())
    return 0


def _croissant(args: argparse.Namespace, out: Output) -> int:
    from spotsafe.evaluation.datasets.croissant import croissant

    found = croissant(dataset_of(args))
    text = json.dumps(found, ensure_ascii=False, indent=2)
    if args.out is not None:
        args.out.write_text(text + "\n", "utf-8")
        out.line(f"written: {args.out}", "good")
    else:
        out.line(text)
    out.json(found)
    return 0


def _check(args: argparse.Namespace, out: Output) -> int:
    from spotsafe.evaluation.datasets.checks import check

    told = progress_of(out, "read")
    others = [named_set(spec, args.folder) for spec in args.against]
    found = check(dataset_of(args), others, progress=lambda rows: told(rows, None))
    _show(found, out)
    out.json(found.as_json())
    return 0 if found.fit else 1


def _show(found: Findings, out: Output) -> None:
    out.line(f"{found.name}: {found.rows} rows", "bold")
    if found.repeated_ids:
        listed = ", ".join(found.repeated_ids[:SHOWN])
        out.line(f"{len(found.repeated_ids)} ids are borne by several rows: {listed}", "bad")
    _pairs("rows stand in several splits", found.split_leaks, "bad", out)
    for name, pairs in found.leaks.items():
        _pairs(f"rows also stand in {name}", pairs, "bad", out)
    _pairs("rows stand twice", found.duplicates, "warn", out)
    _pairs("of them with contrary labels", found.contrary, "warn", out)
    if found.fit:
        out.line("fit to measure on", "good")
    else:
        out.line("not fit to measure on: take these rows out, or train without them", "bad")


def _pairs(what: str, pairs: tuple[Pair, ...], style: str, out: Output) -> None:
    if not pairs:
        return
    out.line(f"{len(pairs)} {what}", style)
    for pair in pairs[:SHOWN]:
        out.line(f"    {pair}", "dim")
    if len(pairs) > SHOWN:
        out.line(f"    and {len(pairs) - SHOWN} more (--json lists all)", "dim")
