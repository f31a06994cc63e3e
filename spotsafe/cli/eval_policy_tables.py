"""What ``spotsafe eval policy`` prints for people: a policy's figures, and what changes between two."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from spotsafe.cli.output import Output

if TYPE_CHECKING:
    from spotsafe.evaluation.metrics.estimate import Estimate
    from spotsafe.evaluation.policies.changes import Change, ChangedRow, SurfaceDifference
    from spotsafe.evaluation.policies.measured import SurfaceFigures

LONGEST = 120
"""Characters of an example's content that are printed."""

ALWAYS = ("allow", "limit", "hold", "block", "redact", "review", "people")
"""Shares that are told even where they are 0: that nothing is blocked is an answer."""

BY_SLICE = ("block", "hold", "people")

Shown = Mapping[int, list[dict[str, str]]]
"""Row → its parts, for those who asked for content."""


def show_figures(found: Sequence[SurfaceFigures], out: Output) -> None:
    """The tables of each surface."""
    for figures in found:
        _shares(figures, out)
        out.table(
            f"{figures.surface}: where the truth is known",
            ("", "share", "rows", "why there is none"),
            [
                (name.replace("_", " "), share(value), value.n, value.refused or "")
                for name, value in figures.errors._asdict().items()
            ],
        )
        out.table(
            f"{figures.surface}: rules",
            ("rule", "at", "then", "fires", "right when it fires"),
            [(r.rule, r.at, ", ".join(r.then), share(r.fires), share(r.precision)) for r in figures.rules],
        )
        out.table(
            f"{figures.surface}: by slice",
            ("slice", "value", "rows", *BY_SLICE, "false stops", "missed"),
            [
                (s.grouping, s.value, s.rows, *(share(s.shares[word]) for word in BY_SLICE),
                 share(s.errors.false_stops), share(s.errors.missed))
                for s in figures.slices
            ],
        )  # fmt: skip
        if figures.unscored:
            listed = ", ".join(figures.unscored)
            out.line(f"nobody scored {listed}: rules on them count as not there", "warn")


def _shares(figures: SurfaceFigures, out: Output) -> None:
    rows = [(word, share(value)) for word, value in figures.shares.items() if word in ALWAYS or value.value]
    rows.append(("not checked in full", share(figures.unsure)))
    left = f", {figures.left_out} of other kinds left out" if figures.left_out else ""
    out.table(
        f"{figures.surface}: {figures.rows} rows{left}",
        ("", "share of rows"),
        rows,
    )


def share(estimate: Estimate) -> str:
    """A share with its interval."""
    if estimate.value is None or estimate.low is None or estimate.high is None:
        return "n/a"
    return f"{estimate.value:.1%} ({estimate.low:.1%} to {estimate.high:.1%})"


def show_changes(found: Sequence[SurfaceDifference], shown: Shown, out: Output) -> None:
    """From what to what, how many rows, and rows to look at."""
    for one in found:
        out.table(
            f"{one.surface}: what changes, {one.rows} rows",
            ("from", "to", "direction", "rows", "share", "violating", "clean"),
            [
                (c.before, c.after, c.direction, c.rows, share(c.share), c.violating, c.clean)
                for c in one.changes
            ],
        )
        if any(change.examples for change in one.changes):
            out.line()
            out.line(f"{one.surface}: rows to look at", "bold")
        for change in one.changes:
            _show_examples(change, shown, out)
        people = f"{share(one.people_before)} → {share(one.people_after)}"
        style = "warn" if one.looser.value or one.other.value else "good"
        out.line()
        if one.changes:
            out.line(
                f"{one.surface}: {share(one.stricter)} stricter, {share(one.looser)} looser, "
                f"{share(one.other)} otherwise; for people: {people}", style,
            )  # fmt: skip
        else:
            out.line(f"{one.surface}: no row fares differently", style)


def _show_examples(change: Change, shown: Shown, out: Output) -> None:
    if not change.examples:
        return
    of = f"{len(change.examples)} of {change.rows}"
    out.line(f"{change.before} → {change.after} ({change.direction}, {of})")
    for example in change.examples:
        out.line(f"    {example.id}: {_rules(example)}", "dim")
        if example.row in shown:
            out.line(f"        {_text(shown[example.row])}")


def _rules(example: ChangedRow) -> str:
    """Which rules no longer act, and which now do."""
    gone = [rule for rule in example.rules_before if rule not in example.rules_after]
    new = [rule for rule in example.rules_after if rule not in example.rules_before]
    words = [f"{what} {', '.join(rules)}" for what, rules in (("no longer", gone), ("now", new)) if rules]
    return "; ".join(words) or f"as before by {', '.join(example.rules_after) or 'no rule'}"


def _text(parts: Sequence[Mapping[str, str]]) -> str:
    whole = " / ".join(" ".join(part["text"].split()) for part in parts)
    return whole if len(whole) <= LONGEST else whole[: LONGEST - 1] + "…"
