"""``spotsafe demo`` plays an outage and proves what it claims."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from spotsafe.cli.demo import leaks


def test_the_demo_ends_well_and_soon() -> None:
    """It exits 0 within a minute with every claim seen to hold, in at least six languages."""
    command = [sys.executable, "-m", "spotsafe", "demo", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    shown = json.loads(done.stdout)
    assert all(claim["holds"] for claim in shown["claims"])
    assert len({answer["line"]["language"] for answer in shown["answers"]}) >= 6
    assert shown["seconds"] < 60


def test_the_demo_would_notice_content_in_its_files(tmp_path: Path) -> None:
    """The claim that nothing leaked can fail: a file with one of the texts is found."""
    (tmp_path / "app.log").write_text("POST /comments Great episode, I listened twice.\n")
    assert leaks(tmp_path, ["Great episode, I listened twice.", "short"]) == [tmp_path / "app.log"]
    assert leaks(tmp_path, ["Another text altogether"]) == []
