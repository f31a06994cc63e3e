"""``spotsafe explain``: what is in force on a surface, where it comes from, and why scores decide so."""

from __future__ import annotations

import argparse
import time
from typing import Any

from spotsafe.cli.output import Output
from spotsafe.cli.sources import add_manifests, policies_of, surface_of
from spotsafe.core.errors import ConfigurationError


def configure(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("surface", nargs="?", help="the surface, or a baseline (baseline/public-ugc)")
    add_manifests(parser)
    parser.add_argument(
        "--score", action="append", default=[], metavar="LABEL=SCORE", help="explain a decision on this score"
    )
    parser.add_argument(
        "--missing", action="append", default=[], metavar="LABEL=CAUSE", help="a label without a score"
    )
    parser.add_argument("--context", default="{}", metavar="JSON", help="context fields as a JSON object")
    parser.add_argument(
        "--labels", action="store_true", help="list the taxonomy instead: every label and what it maps to"
    )


def run(args: argparse.Namespace, out: Output) -> int:
    """Print the taxonomy, the policy, or with ``--score`` and ``--missing`` the decision and its reasons."""
    if args.labels:
        return _labels(out)
    if args.surface is None:
        raise ConfigurationError("name a surface or a baseline (baseline/public-ugc), or give --labels")
    from spotsafe.policy.explain import explain, parse_context

    now = time.time()
    if args.surface.startswith("baseline/") and not args.manifests:
        from spotsafe.policy.load import builtin

        policy = surface_of(builtin(), args.surface)
    else:
        policy = surface_of(policies_of(args.manifests, args.waivers, now), args.surface)
    context = parse_context(args.context, policy.context)
    if args.score or args.missing:
        return _decision(args, policy, context, out)
    found = explain(policy, now)
    out.json(found)
    _show(found, out)
    return 0


def _decision(args: argparse.Namespace, policy: Any, context: dict[str, object], out: Output) -> int:
    from spotsafe.policy.evaluate import evaluate
    from spotsafe.policy.explain import explain_verdict, parse_missing, parse_scores, scripted_signals

    signals = scripted_signals(policy, parse_scores(args.score), parse_missing(args.missing))
    found = explain_verdict(evaluate(policy, signals, context, time.time()))
    out.json({"surface": policy.name, "policy_version": policy.version, **found})
    out.line(f"{policy.name}: {found['action']} (status {found['status']})", "bold")
    _reasons(found, out)
    if found["would"] is not None:
        out.line(f"held back by shadow or canary: {found['would']['action']}", "warn")
        _reasons(found["would"], out)
    return 0


def _reasons(found: dict[str, Any], out: Output) -> None:
    rows = [
        (r["rule"], r["label"], r["cause"] or r["score"], r["at"], " + ".join(r["does"]))
        for r in found["reasons"]
    ]
    if rows:
        out.table("Reasons", ("rule", "label", "score or cause", "from", "does"), rows)
    for waiver in found["waivers"]:
        out.line(f"waived: {waiver}", "warn")


def _labels(out: Output) -> int:
    """The taxonomy: what is to be known for a policy, then what each label is in other schemes."""
    from spotsafe.policy.explain import label_entries

    found = label_entries()
    out.json({"labels": found})
    out.table(
        "Labels", ("label", "severity", "default action", "decided by"),
        [(f["label"], f["severity"], " + ".join(f["default"]), f["decision"]) for f in found],
    )  # fmt: skip
    heads = ("label", "OpenAI", "Llama Guard", "Azure", "DSA statement category")
    out.table(
        "In other schemes", heads,
        [(f["label"], *(", ".join(f[key]) or None for key in ("openai", "llama_guard", "azure")),
          f["dsa_category"]) for f in found],
    )  # fmt: skip
    return 0


def _show(found: dict[str, Any], out: Output) -> None:
    out.line(f"{found['surface']}  {found['version']}", "bold")
    if found["about"]:
        out.line(found["about"])
    facts = ("baseline", "team", "owner", "direction", "audience", "mode", "service")
    out.line(", ".join(f"{fact} {found[fact]}" for fact in facts if found[fact]), "dim")
    fields = [
        (f["field"], f["value"], f["source"], f"surface says {f['stated']}" if f["tightened"] else "")
        for f in found["fields"]
    ]
    out.table("Fields", ("field", "in force", "from", "tightened"), fields)
    out.table("Rules", ("rule", "labels", "from", "then", "limits"), [_rule(rule) for rule in found["rules"]])
    labels = [
        (f["label"], f["severity"], " + ".join(f["on_failure"]), _missing(f["if_missing"]))
        for f in found["labels"]
    ]
    out.table("Without a score", ("label", "severity", "on failure", "if missing"), labels)
    for waiver in found["waivers"]:
        state = "until" if waiver["running"] else "ended"
        out.line(f"waiver: {waiver['rule']} {state} {waiver['ends']} ({waiver['approver']})", "warn")


def _rule(rule: dict[str, Any]) -> tuple[str, str, float, str, str]:
    limits = [
        f"when {rule['when']}" if rule["when"] else "",
        f"parts {', '.join(rule['parts'])}" if rule["parts"] else "",
        rule["mode"] if rule["mode"] != "enforce" else "",
        f"waived until {rule['waived_until']}" if rule["waived_until"] else "",
        f"a person decides on {', '.join(rule['held_for_a_person'])}: hold"
        if rule["held_for_a_person"]
        else "",
    ]
    return (
        rule["rule"],
        ", ".join(rule["labels"]),
        rule["at"],
        " + ".join(rule["then"]),
        "; ".join(limit for limit in limits if limit),
    )


def _missing(answers: dict[str, list[str]]) -> str:
    """``hold`` where all causes get the same answer, else cause by cause."""
    words = {cause: " + ".join(action) for cause, action in answers.items()}
    if len(set(words.values())) == 1:
        return next(iter(words.values()))
    return ", ".join(f"{cause} {word}" for cause, word in words.items())
