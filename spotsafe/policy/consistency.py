"""Checks across fields: what pydantic cannot see because it looks at one value at a time."""

from __future__ import annotations

from typing import Any

from spotsafe.core.errors import Fault
from spotsafe.policy.cel_syntax import CelError
from spotsafe.policy.conditions import compile_condition
from spotsafe.policy.document import Path
from spotsafe.policy.layers import Baseline, Layer, context_fields
from spotsafe.policy.model import ExampleModel, SurfaceModel
from spotsafe.policy.surface import Condition, SurfacePolicy
from spotsafe.policy.wording import nearest, shown


def check_layer(layer: Layer, baseline: Baseline | None, faults: list[Fault]) -> dict[str, Condition]:
    """Check the rules of one layer as they are written, faulty ones included; the compiled conditions by
    their text. *baseline* is what a surface stands on, None for a baseline."""
    conditions: dict[str, Condition] = {}
    seen: dict[str, int] = {}
    for index, rule in enumerate(_written(layer, "rules", list)):
        if not isinstance(rule, dict):
            continue
        path = (*layer.path, "rules", index)
        _check_id(layer, rule.get("id"), path, seen, faults)
        _check_parts(layer, baseline, rule.get("parts"), path, faults)
        _check_notice(layer, baseline, rule.get("notice"), path, faults)
        if isinstance(when := rule.get("when"), str):
            _check_when(layer, when, path, conditions, faults)
    return conditions


def _check_id(
    layer: Layer, identifier: object, path: Path, seen: dict[str, int], faults: list[Fault]
) -> None:
    if not isinstance(identifier, str):
        return
    if identifier in seen:
        message = f"the rule id {shown(identifier)} is used twice"
        hint = f"first used in line {seen[identifier]}"
        faults.append(layer.document.fault((*path, "id"), message, hint))
    seen.setdefault(identifier, layer.document.place((*path, "id"))[0])


def _written(layer: Layer, field: str, kind: type[Any]) -> Any:
    """What is written under *field*, faulty entries included: a part with a fault still exists."""
    data = layer.document.data
    for key in layer.path:
        data = data[key]
    value = data.get(field)
    return value if isinstance(value, kind) else kind()


def _names(layer: Layer, baseline: Baseline | None, field: str) -> list[str]:
    below = () if baseline is None else baseline.layers
    return list(dict.fromkeys(key for entry in (*below, layer) for key in _written(entry, field, dict)))


def _check_parts(
    layer: Layer, baseline: Baseline | None, parts: object, path: Path, faults: list[Fault]
) -> None:
    known = _names(layer, baseline, "content")
    if not known or not isinstance(parts, list):
        return  # without declared content it is whatever the handler annotates, known only there
    for number, part in enumerate(parts):
        if isinstance(part, str) and part not in known:
            hint = nearest(part, known) or f"declared are {', '.join(known)}"
            message = f"the content has no part {shown(part)}"
            faults.append(layer.document.fault((*path, "parts", number), message, hint))


def _check_notice(
    layer: Layer, baseline: Baseline | None, notice: object, path: Path, faults: list[Fault]
) -> None:
    known = _names(layer, baseline, "notices")
    if isinstance(notice, str) and notice not in known:
        hint = nearest(notice, known) or "write its text under 'notices', by language"
        message = f"there is no notice {shown(notice)}"
        faults.append(layer.document.fault((*path, "notice"), message, hint))


def _check_when(
    layer: Layer, text: str, path: Path, conditions: dict[str, Condition], faults: list[Fault]
) -> None:
    place = layer.document.place((*path, "when"))
    if not isinstance(layer.model, SurfaceModel):
        message = "'when' reads a surface's context, and a baseline has none"
        faults.append(layer.document.fault((*path, "when"), message, "state the rule in the surface"))
        conditions[text] = _never_told
        return
    fields = context_fields(layer.model)
    if any(name not in fields for name in _written(layer, "context", dict)):
        conditions[text] = _never_told  # the context itself has faults: types are not known
        return
    try:
        conditions[text] = compile_condition(text, fields)
    except CelError as error:
        conditions[text] = _never_told
        message = f"'when', character {error.offset + 1}: {error.problem}"
        faults.append(Fault(layer.document.file, *place, message, error.hint))


def _never_told(context: object) -> None:
    """The stand-in for a condition that could not be compiled; the load fails anyway."""


def check_surface(layer: Layer, baseline: Baseline, policy: SurfacePolicy, faults: list[Fault]) -> None:
    """Check what a surface says against its baseline and its own examples."""
    document = layer.document
    if policy.audience not in baseline.audiences:
        message = f"{baseline.name} does not admit the audience {policy.audience}"
        hint = f"it admits {', '.join(baseline.audiences)}"
        if policy.audience == "minors":
            hint += "; extend baseline/minors"
        faults.append(document.fault((*layer.path, "audience"), message, hint))
    _check_examples(layer, policy, faults)


def _check_examples(layer: Layer, policy: SurfacePolicy, faults: list[Fault]) -> None:
    document = layer.document
    parts = _names(layer, None, "content") or list(policy.content)
    fields = list(_written(layer, "context", dict))
    for index, example in enumerate(_written(layer, "examples", list)):
        path = (*layer.path, "examples", index)
        for key in example if isinstance(example, dict) and parts else ():
            if key not in parts and key not in EXAMPLE_KEYS:
                hint = nearest(key, [*parts, *EXAMPLE_KEYS]) or f"parts are {', '.join(parts)}"
                faults.append(document.fault((*path, key), f"unknown key {shown(key)}", hint, key=True))
        context = example.get("context") if isinstance(example, dict) else None
        for key in context if isinstance(context, dict) else ():
            if key not in fields:
                hint = nearest(key, fields) or "declare it under 'context'"
                message = f"unknown context field {shown(key)}"
                faults.append(document.fault((*path, "context", key), message, hint, key=True))


EXAMPLE_KEYS = tuple(ExampleModel.model_fields)
"""Keys of an example that are not parts of the content."""
