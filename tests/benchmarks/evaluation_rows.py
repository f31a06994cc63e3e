"""What a million rows cost to evaluate: ``python -m tests.benchmarks.evaluation_rows [--rows N] [--write]``.

A scripted detector scores generated rows, so that nothing but the framework is measured: reading, scoring
into a run's folder, the report's figures, a paired comparison and a gate, each in a process of its own whose
peak of resident memory is taken from the operating system. ``--write`` keeps the result beside this file.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from spotsafe.core.content import Content, Text
from spotsafe.core.seams import DetectRequest
from spotsafe.core.signals import Cause, Missing, Signal, Signals
from spotsafe.evaluation.compare import compare
from spotsafe.evaluation.datasets.rows import DataSet, Row
from spotsafe.evaluation.gates.check import check_gate
from spotsafe.evaluation.gates.model import read_gate
from spotsafe.evaluation.reports.document import document
from spotsafe.evaluation.reports.page import page
from spotsafe.evaluation.runs.run import open_run
from spotsafe.evaluation.runs.scoring import Pace, score

RESULT = Path(__file__).parent / "results" / "evaluation_rows.json"
ROWS = 1_000_000
LABELS = ("tone.toxic", "hate.speech", "harass.bullying", "sexual.explicit")
LANGUAGES = ("en", "de", "es", "pt", "fr")
STEPS = ("nothing", "score", "score again", "report", "compare", "gate")
"""Each in a process of its own; ``nothing`` imports what the others import."""

GATE = """\
spotsafe-gate: 1
requirements:
  - {metric: auprc, label: "*", at_least: 0.2, confidence: lower}
  - {metric: fpr, label: "*", each: language, at_most: 0.5}
  - {metric: coverage, label: "*", at_least: 0.9}
"""


class Scripted:
    """Scores that depend on the row's number alone; one row in 500 is missing."""

    version = "1"

    def __init__(self, name: str, skill: float) -> None:
        self.id = name
        self._skill = skill

    def capabilities(self) -> None:
        return None

    def detect(self, requests: Sequence[DetectRequest], *, timeout: float | None = None) -> list[Signals]:
        numbers = np.array([int(str(request.content.parts[0].data)[:8]) for request in requests])
        noise = np.random.default_rng(int(numbers[0])).normal(size=(len(requests), len(LABELS)))
        found = []
        for number, row in zip(numbers.tolist(), noise, strict=True):
            if number % 500 == 0:
                found.append(Signals((), [Missing(label, "body", Cause.SIZE) for label in LABELS]))
                continue
            truths = (positive(number, index) for index in range(len(LABELS)))
            scores = 1 / (1 + np.exp(-(self._skill * (np.fromiter(truths, float) - 0.7) + row)))
            found.append(
                Signals([Signal(label, s, "body") for label, s in zip(LABELS, scores.tolist(), strict=True)])
            )
        return found


def positive(number: int, index: int) -> bool:
    """The truth of row *number* for label *index*: about 1 in 3, 9, 27 and 81."""
    return number * 2654435761 % 2**32 % 3 ** (index + 1) == 0


def rows(count: int) -> Iterator[Row]:
    """Generated rows of 40 characters."""
    for number in range(count):
        language = LANGUAGES[number % 7 % 5]
        labels = {label: float(positive(number, index)) for index, label in enumerate(LABELS)}
        text = f"{number:08d} a comment under an episode, made up"
        slices = {"source": f"s{number % 12}"}
        yield Row(f"row-{number:08d}", Content([Text(text, "body")], (language,)), labels, language, slices)


def dataset(count: int) -> DataSet:
    return DataSet("generated", lambda: rows(count), LABELS, digest=f"generated {count}", size=count)


def step(name: str, count: int, folder: Path) -> dict[str, float]:
    """One step in this process: its seconds and, in MiB, what the process held at most."""
    began, cpu = time.perf_counter(), time.process_time()
    pace = Pace(batch=256)
    if name == "score":
        score(Scripted("scripted", 2.0), dataset(count), folder / "a", pace=pace)
    elif name == "score again":
        score(Scripted("scripted better", 2.05), dataset(count), folder / "b", pace=pace)
    elif name == "report":
        (folder / "report.html").write_text(page(document(open_run(folder / "b"))), "utf-8")
    elif name == "compare":
        compare(open_run(folder / "a"), open_run(folder / "b"))
    elif name == "gate":
        (folder / "gate.yaml").write_text(GATE, "utf-8")
        check_gate(read_gate(folder / "gate.yaml"), open_run(folder / "b"))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "seconds": round(time.perf_counter() - began, 1),
        "cpu_seconds": round(time.process_time() - cpu, 1),
        "peak_mib": round(peak),
    }


def benchmark(count: int, told: Callable[[str], None]) -> dict[str, Any]:
    """Every step over *count* rows, and over a tenth of them."""
    found: dict[str, Any] = {}
    for size in (count // 10, count):
        with tempfile.TemporaryDirectory() as folder:
            for name in STEPS:
                words = [sys.executable, "-m", "tests.benchmarks.evaluation_rows", "--step", name]
                words += ["--rows", str(size), "--folder", folder]
                told(f"{size:,} rows: {name}")
                answer = subprocess.run(words, capture_output=True, text=True, check=True)
                found.setdefault(str(size), {})[name] = json.loads(answer.stdout)
            run = Path(folder) / "b"
            on_disk = sum(path.stat().st_size for path in run.iterdir())
            found[str(size)]["run_mib"] = round(on_disk / 2**20, 1)
    return {
        "about": {
            "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
            "python": platform.python_version(),
            "labels": len(LABELS),
            "note": "Seconds are wall-clock, of whatever else ran too; cpu_seconds are the process's own.",
        },
        "rows": found,
    }


def table(result: dict[str, Any]) -> str:
    """The result as the documentation shows it."""
    few, many = result["rows"]
    lines = [
        "| step |"
        + "".join(f" {what}, {int(size):,} rows |" for what in ("CPU", "memory") for size in (few, many)),
        "|---|---:|---:|---:|---:|",
    ]
    for name in STEPS[1:]:
        one, other = (result["rows"][size][name] for size in (few, many))
        lines.append(
            f"| {name} | {one['cpu_seconds']:g} s | {other['cpu_seconds']:g} s | {one['peak_mib']} MiB "
            f"| {other['peak_mib']} MiB |"
        )
    return "\n".join(lines)


def main() -> None:
    """Print the result as JSON; keep it with ``--write``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--write", action="store_true", help=f"keep the result as {RESULT.name}")
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.step:
        print(json.dumps(step(given.step, given.rows, given.folder)))
        return
    result = benchmark(given.rows, lambda line: print(line, file=sys.stderr))
    text = json.dumps(result, indent=1, ensure_ascii=False) + "\n"
    if given.write:
        RESULT.write_text(text, "utf-8")
    print(text, end="")


if __name__ == "__main__":
    main()
