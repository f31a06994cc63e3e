"""The manifest reference: ``docs/manifest-reference.md``, written from the models and the ratchet's table.

``python -m spotsafe.policy.reference > docs/manifest-reference.md`` writes it; a test fails when the page
is stale or a field has no description.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

from pydantic import BaseModel

from spotsafe.core.labels import DEFAULT_ACTIONS, LABELS
from spotsafe.policy.actions import ACTION_WORDS, Action
from spotsafe.policy.chains import SHIPPED
from spotsafe.policy.load import builtin
from spotsafe.policy.model import (
    AutomaticModel,
    BaselineModel,
    CacheModel,
    ContextModel,
    ExampleModel,
    HoldModel,
    IfMissing,
    LayerModel,
    ManifestModel,
    PartModel,
    PlatformModel,
    PrivacyModel,
    RuleModel,
    SurfaceModel,
    WaiverModel,
)
from spotsafe.policy.ratchet import DIRECTIONS, RATCHET
from spotsafe.policy.surface import CONTEXT_TYPES, Rule

SECTIONS: tuple[tuple[str, str, type[BaseModel]], ...] = (
    ("The manifest", "", ManifestModel),
    ("A surface", "", SurfaceModel),
    ("`content`: a part", "content", PartModel),
    ("`context`: a field", "context", ContextModel),
    ("`rules`: a rule", "rules", RuleModel),
    ("`if_missing`", "if_missing", IfMissing),
    ("`cache`", "cache", CacheModel),
    ("`hold`", "hold", HoldModel),
    ("`privacy`", "privacy", PrivacyModel),
    ("`examples`: an example", "examples", ExampleModel),
    ("A waiver", "", WaiverModel),
    ("A baseline", "", BaselineModel),
    ("`decisions`: automatic blocks", "decisions", AutomaticModel),
    ("The platform's file", "", PlatformModel),
)
"""Every model of a file, in the order of the page."""


def render() -> str:
    """The whole page as Markdown."""
    pieces = [_INTRODUCTION]
    for title, prefix, model in SECTIONS:
        pieces.append(_section(title, prefix, model))
    pieces.extend([_values(), _ratchet(), _conditions(), _baselines(), _labels()])
    return "\n".join(pieces).rstrip() + "\n"


def undescribed() -> list[str]:
    """Fields without a description, as ``Model.field``; none in a healthy tree."""
    return [
        f"{model.__name__}.{name}"
        for _, _, model in SECTIONS
        for name, field in model.model_fields.items()
        if not field.description
    ]


_INTRODUCTION = """\
# Manifest reference

A manifest says what a surface carries and what may happen to it. It is YAML, read strictly: `true` and
`false` are the only booleans (so `no` stays a language), there are no anchors, aliases, merge keys or tags,
a key given twice is an error, and a file has at most 1 MiB and 20 levels. `spotsafe lint` reports every
fault of all files at once, each with file, line, column and a hint; `spotsafe schema` prints the JSON Schema
for editors.

This page is generated from the models (`python -m spotsafe.policy.reference`).
"""


def _section(title: str, prefix: str, model: type[BaseModel]) -> str:
    about = " ".join((model.__doc__ or "").split())
    rows = []
    shared = set(LayerModel.model_fields) if model is BaselineModel else set()
    for name, field in model.model_fields.items():
        if name in shared:
            continue
        required = "required" if field.is_required() else ""
        path = f"{prefix}.{name}" if prefix else name
        direction = DIRECTIONS.get(path) or (DIRECTIONS.get(name) if model is SurfaceModel else None)
        rows.append(
            (f"`{name}`", required, _flat(field.description or ""), direction.strict if direction else "")
        )
    if shared:
        about += (
            " It can also state, as a surface does: "
            + ", ".join(f"`{name}`" for name in sorted(shared))
            + "."
        )
    return f"## {title}\n\n{about}\n\n{_table(('field', '', 'meaning', 'under a baseline'), rows)}"


def _flat(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines.extend("| " + " | ".join(row) + " |" for row in rows)
    return "\n".join(lines) + "\n"


def _values() -> str:
    return (
        "## How values are written\n\n"
        "* Durations: `150ms`, `10s`, `10m`, `72h`, `180d`, or `0`. A deadline can be `async`.\n"
        "* Instants: UTC, `2027-01-31T00:00:00Z`.\n"
        "* Labels: a code (`hate.speech`) or a pattern (`hate.*`); where patterns compete, the most specific "
        "counts.\n"
        f"* Actions: {', '.join(f'`{word}`' for word in ACTION_WORDS)}, or a list that joins them. "
        "`redact` whose evidence is not a text span becomes `hold`.\n"
        "* An automatic `block` on a label that the taxonomy leaves to people becomes `hold`, unless a "
        "baseline of the platform allows it with a basis (`decisions`).\n"
    )


def _ratchet() -> str:
    rows = [(f"`{direction.field}`", direction.strict) for direction in RATCHET]
    return (
        "## The ratchet\n\n"
        "Effective policy = baselines ∪ surface. A surface never edits a baseline's rule; every other field "
        "has a strict direction. Only a waiver of the platform loosens a baseline's rule, for one surface, "
        "until a stated instant; a surface that needs another threshold has the rule waived and states its "
        "own.\n\n" + _table(("field", "how layers join"), rows)
    )


def _conditions() -> str:
    types = ", ".join(f"`{name}`" for name in CONTEXT_TYPES)
    return (
        "## Conditions: `when`\n\n"
        f"CEL over the declared context, whose types are {types}. Names and types are checked at load. "
        "There are `&& || ! == != < <= > >= in + - * / %`, `a ? b : c`, lists, `size(list)`, and on strings "
        "`startsWith`, `endsWith`, `contains`, `matches` (RE2, without classes such as `\\d`, which differ "
        "between libraries). Whole numbers and doubles do not mix: `7` is an int, `7.0` a double.\n\n"
        "A field that the condition reads and the caller does not pass makes it impossible to tell. Then "
        "the rule's `if_missing` default applies; where none is stated, labels of severity 3 and 4 hold, "
        "and others get the rule's own action, at most a hold. Conditions need the extra: "
        "`pip install 'spotsafe[cel]'`.\n"
    )


def _baselines() -> str:
    pieces = ["## Shipped baselines\n"]
    for name in SHIPPED:
        policy = builtin().baseline(f"baseline/{name}")
        rows = [_rule(rule) for rule in policy.rules if rule.source == policy.baseline]
        pieces.append(f"### `baseline/{name}`\n\n{policy.about}.\n")
        pieces.append(_table(("rule", "labels", "from", "then"), rows))
    return "\n".join(pieces)


def _rule(rule: Rule) -> tuple[str, str, str, str]:
    labels = ", ".join(f"`{pattern}`" for pattern in rule.patterns)
    return (f"`{rule.id}`", labels, f"{rule.at:g}", " + ".join(rule.then.words))


def _labels() -> str:
    rows = [
        (
            f"`{label.code}`",
            str(label.severity),
            " + ".join(Action(*DEFAULT_ACTIONS[label.default]).words),
            "yes" if label.needs_human else "",
            ", ".join(label.kinds),
        )
        for label in LABELS.values()
    ]
    head = ("label", "severity", "usual action", "a person decides", "occurs in")
    return "## Labels\n\n" + _table(head, rows)


if __name__ == "__main__":
    sys.stdout.write(render())
