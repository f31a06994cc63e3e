"""The examples of manifests: read, and run against scripted signals or a detector's."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from spotsafe.core.content import Content, Text
from spotsafe.core.decision import Verdict
from spotsafe.core.seams import DetectRequest
from spotsafe.core.signals import Signals
from spotsafe.policy.actions import action
from spotsafe.policy.evaluate import evaluate
from spotsafe.policy.explain import scripted_signals
from spotsafe.policy.layers import Layer
from spotsafe.policy.model import ExampleModel, SurfaceModel
from spotsafe.policy.surface import Example, PolicySet, SurfacePolicy

Detect = Callable[[Sequence[DetectRequest]], "list[Signals]"]


class ExampleResult(NamedTuple):
    """One example that was run. It carries no content: *number* is its place in the manifest."""

    surface: str
    number: int
    place: str
    expected: str
    got: str
    passed: bool
    status: str
    rules: tuple[str, ...]
    causes: tuple[str, ...] = ()
    """Why labels, or the context that a ``when`` reads, were missing for these rules."""


def examples_of(layer: Layer) -> tuple[Example, ...]:
    """The examples that the surface of *layer* states, numbered from 1."""
    if not isinstance(layer.model, SurfaceModel):
        return ()
    return tuple(_example(layer, index, model) for index, model in enumerate(layer.model.examples))


def _example(layer: Layer, index: int, model: ExampleModel) -> Example:
    path = layer.document.entry((*layer.path, "examples"), index)
    return Example(
        int(path[-1]) + 1,
        model.model_extra or {},
        model.expect.words,
        scores=model.scores,
        missing=model.missing,
        context=model.context,
        languages=tuple(model.languages),
        place=(layer.document.file, layer.document.place(path)[0]),
    )


def run_examples(
    policies: PolicySet, detect: Detect | None, now: float, *, surfaces: Sequence[str] = ()
) -> Iterator[ExampleResult]:
    """Run the examples of *surfaces* (all unless given). *detect* is asked for those that script neither
    scores nor gaps; without one they are left out. What shadow or canary hold back counts as done:
    examples test the policy, not its roll-out."""
    for name, examples in policies.examples.items():
        policy = policies.surface(name)
        if policy is None or (surfaces and name not in surfaces):
            continue
        for example in examples:
            signals = _signals(policy, example, detect)
            if signals is not None:
                verdict = evaluate(policy, signals, example.context, now)
                yield _result(example, policy, verdict.would or verdict)


def _signals(policy: SurfacePolicy, example: Example, detect: Detect | None) -> Signals | None:
    if example.scores is not None or example.missing is not None:
        return scripted_signals(policy, example.scores or {}, example.missing, parts=tuple(example.content))
    if detect is None:
        return None
    parts = [Text(text, key) for key, text in example.content.items()]
    content = Content(parts, example.languages or policy.languages[:1])
    return detect([DetectRequest(content, tuple(sorted(policy.labels)))])[0]


def _result(example: Example, policy: SurfacePolicy, verdict: Verdict) -> ExampleResult:
    expected = action(example.expect)
    if len(example.expect) == 1:
        passed = verdict.action == example.expect[0]  # one word: the action as people name it
        got = verdict.action
    else:
        passed = (verdict.disposition, verdict.effects) == expected
        got = " + ".join(type(expected)(verdict.disposition, verdict.effects).words)
    return ExampleResult(
        policy.name,
        example.number,
        f"{example.file}:{example.line}",
        " + ".join(example.expect),
        got,
        passed,
        verdict.status.word,
        tuple(dict.fromkeys(reason.rule for reason in verdict.reasons)),
        tuple(dict.fromkeys(reason.cause for reason in verdict.reasons if reason.cause is not None)),
    )
