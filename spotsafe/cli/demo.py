"""``spotsafe demo``: the main job on one machine: guard, decide, survive an outage, lose nothing."""

from __future__ import annotations

import argparse
import json
import sqlite3
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path
from statistics import median, quantiles
from typing import TYPE_CHECKING, Any, NamedTuple

from spotsafe.cli.output import Output

if TYPE_CHECKING:
    from spotsafe.cli.demo_stage import Answer, Stage

BEFORE, DURING, AFTER = "service up", "service down", "service back"


class Claim(NamedTuple):
    """Something that the demo says, and whether it was seen."""

    text: str
    holds: bool
    seen: str


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument(
        "--keep", action="store_true", help="leave everything running and print the addresses"
    )


def run(args: argparse.Namespace, out: Output) -> int:
    """Exit code 0 only when every claim was seen to hold."""
    from spotsafe.cli.demo_stage import stage

    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="spotsafe-demo-") as folder, stage(Path(folder)) as demo:
        out.line(
            "spotsafe demo: a service, an app with four guarded surfaces, real traffic, an outage", "bold"
        )
        play(demo, out)
        claims = examine(demo)
        report(demo, claims, time.monotonic() - began, out)
        if args.keep:
            _keep(demo, out)
    return 0 if all(claim.holds for claim in claims) else 1


def play(demo: Stage, out: Output) -> None:
    """Start, send, stop the service half-way, start it again, wait until the outbox has drained."""
    from spotsafe.cli.demo_stage import traffic, wait_for

    lines = traffic(demo.examples)
    # Every fourth line is sent again later: repeated content is what the cache is for.
    thirds = [lines[0::3] + lines[0::12], lines[1::3] + lines[0::12], lines[2::3] + lines[1::12]]
    out.progress("starting the service and the app …")
    demo.start_service()
    demo.start_app()
    out.line(f"  service  {demo.service_url}\n  app      {demo.app_url}", "dim")
    for phase, batch in zip((BEFORE, DURING, AFTER), thirds, strict=True):
        if phase == DURING:
            demo.stop_service()
        elif phase == AFTER:
            demo.start_service()
            # The breaker lets one probe through after a pause; the traffic goes on by the ladder until then.
            wait_for(lambda: demo.probe().status == "checked", 20, every=0.25)
        for number, line in enumerate(batch):
            out.progress(f"{phase}: {number + 1} of {len(batch)}")
            demo.send(number, line, phase)
    demo.stop_app()
    out.progress("waiting until every event has arrived …")
    wanted = {answer.decision_id for answer in demo.answers}
    wait_for(lambda: wanted <= {record["event_id"] for record in stored_decisions(demo)}, 10)
    demo.learn(stored_decisions(demo))


def stored_decisions(demo: Stage) -> list[dict[str, Any]]:
    """The decision events in the service's store, read from its file."""
    database = next(iter(demo.store.glob("*.sqlite")), None)
    if database is None:
        return []
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        rows = connection.execute("SELECT record FROM events WHERE kind = 'decision'").fetchall()
    return [json.loads(row[0]) for row in rows]


def examine(demo: Stage) -> list[Claim]:
    """What the demo claims, each compared with what happened."""
    answers = demo.answers
    by_phase = {phase: [a for a in answers if a.phase == phase] for phase in (BEFORE, DURING, AFTER)}
    statuses = {phase: Counter(a.status for a in found) for phase, found in by_phase.items()}
    ids = [a.decision_id for a in answers]
    stored = [record["event_id"] for record in stored_decisions(demo)]
    leaked = leaks(demo.folder, {a.line.text for a in answers})
    up, down, back = statuses[BEFORE], statuses[DURING], statuses[AFTER]
    return [
        Claim("every request was answered with a decision", all(ids), f"{len(ids)} requests"),
        Claim(
            "with the service up, it checked",
            set(up) <= {"checked", "cached"} and up["checked"] > 0,
            _shown(up),
        ),
        Claim(
            "repeated content came from the cache", (up + down + back)["cached"] > 0, _shown(up + down + back)
        ),
        Claim(
            "with the service down, traffic went on by the ladder, and nothing claims to be checked",
            down["checked"] == 0 and down["local"] > 0 and down["unchecked"] == 0,
            _shown(down),
        ),
        Claim("with the service back, it checked again", back["checked"] > 0, _shown(back)),
        Claim(
            "every decision is in the store exactly once",
            len(stored) == len(set(stored)) and set(ids) == set(stored),
            f"{len(set(ids) & set(stored))} of {len(ids)} found, {len(stored) - len(set(stored))} twice",
        ),
        Claim(
            "no content was written to any log, outbox or store",
            not leaked,
            f"{len(leaked)} files with content",
        ),
    ]


def leaks(folder: Path, texts: Iterable[str]) -> list[Path]:
    """Files under *folder* that hold one of *texts* (those long enough not to be found by chance)."""
    needles = [text.encode() for text in texts if len(text) >= 12]
    return [
        path for path in folder.rglob("*") if path.is_file() and _holds_any(path.read_bytes(), needles)
    ]  # fmt: skip


def _holds_any(haystack: bytes, needles: Sequence[bytes]) -> bool:
    return any(needle in haystack for needle in needles)


def report(demo: Stage, claims: Sequence[Claim], seconds: float, out: Output) -> None:
    """What a newcomer wants to see, and all of it as JSON."""
    from spotsafe.cli.adoption import show
    from spotsafe.telemetry.adoption_table import AdoptionTable

    counted = [a for a in demo.answers if a.phase != "probe"]
    samples = _samples(counted)
    out.table(
        "Some decisions", ("surface", "", "text", "action", "status"),
        [(a.line.surface, a.line.language, _short(a.line.text), a.action, a.status) for a in samples],
    )  # fmt: skip
    actions = sorted({a.action for a in counted})
    surfaces = sorted({a.line.surface for a in counted})
    grid = Counter((a.line.surface, a.action) for a in counted)
    out.table("Decisions", ("surface", *actions), [(s, *(grid[s, act] for act in actions)) for s in surfaces])
    out.table(
        "What each status did", ("phase", "status", "requests", "p50 ms", "p95 ms"), _latencies(counted)
    )
    adoption = demo.get("/v1/adoption")
    show(AdoptionTable.from_json(adoption), out)
    out.table("Claims", ("", "claim", "seen"), [("✓" if c.holds else "✗", c.text, c.seen) for c in claims])
    failed = [claim for claim in claims if not claim.holds]
    out.line()
    if failed:
        out.line(f"{len(failed)} of {len(claims)} claims did not hold.", "bad")
    else:
        out.line(f"All {len(claims)} claims were checked and hold. {seconds:.0f} s.", "good")
    out.json(
        {
            "answers": [{**a._asdict(), "line": a.line._asdict()} for a in demo.answers],
            "claims": [claim._asdict() for claim in claims],
            "adoption": adoption,
            "seconds": round(seconds, 1),
        }
    )


def _samples(answers: Sequence[Answer]) -> list[Answer]:
    """For each surface and action the first two texts, so that every kind of outcome is seen."""
    seen: Counter[tuple[str, str]] = Counter()
    chosen = []
    for answer in answers:
        key = (answer.line.surface, answer.action)
        seen[key] += 1
        if seen[key] <= 2:
            chosen.append(answer)
    return sorted(chosen, key=lambda a: (a.line.surface, a.action))


def _latencies(answers: Sequence[Answer]) -> list[tuple[Any, ...]]:
    rows = []
    for phase in (BEFORE, DURING, AFTER):
        for status in dict.fromkeys(a.status for a in answers if a.phase == phase):
            times = [a.milliseconds for a in answers if a.phase == phase and a.status == status]
            p95 = quantiles(times, n=20)[-1] if len(times) > 1 else times[0]
            rows.append((phase, status, len(times), round(median(times), 1), round(p95, 1)))
    return rows


def _short(text: str, width: int = 52) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


def _shown(counts: Counter[str]) -> str:
    return ", ".join(f"{count} {status or 'none'}" for status, count in counts.most_common())


def _keep(demo: Stage, out: Output) -> None:
    demo.start_app()
    out.line()
    out.line(f"Left running: the service's pages at {demo.service_url}/ and the app at {demo.app_url}/docs")
    out.line("Press Ctrl-C to end both.")
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        out.line("ended")
