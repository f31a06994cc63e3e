"""Plans: everything a guarded call needs to know, compiled once from handler and policy.

A plan belongs to one policy object. When the policy changes (another client, a reload) the next call
compiles a new one and swaps it in; calls under way keep theirs.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from spotsafe.core.content import Content, LoneText, Part
from spotsafe.core.errors import ConfigurationError
from spotsafe.surface.arguments import ABSENT, Getter
from spotsafe.surface.declared import Carrier, Matched, leaves, match, path_shape
from spotsafe.surface.handler import Handler, Kind
from spotsafe.surface.hints import Place, ShapeCompiler, allows_none, is_marked
from spotsafe.surface.parts import Edits, Parts
from spotsafe.surface.returned import RESPONSE_REMEDY, Answer, compile_answer, is_response
from spotsafe.surface.shapes import Each, Leaf, Loose, Shape, Values

if TYPE_CHECKING:
    from spotsafe.surface.seams import SurfacePolicy

Call = tuple[tuple[Any, ...], dict[str, Any]]


class Plan:
    """What to take out of a call, under one policy.

    *checks_input* and *answer* say what is checked; *content*, *item*, *actor*, *context* and
    *language* read a call's ``(args, kwargs)``; *nullable* are the parameters that may be None.
    """

    __slots__ = ("actor", "answer", "carriers", "checks_input", "content", "context", "handler", "item",
                 "language", "names", "nullable", "policy")  # fmt: skip

    def __init__(
        self,
        handler: Handler,
        policy: SurfacePolicy,
        matched: Matched,
        answer: Answer | None,
        *,
        inputs: bool,
        nullable: frozenset[str] = frozenset(),
    ) -> None:
        self.handler = handler
        self.policy = policy
        self.carriers = matched.carriers
        self.names = matched.names
        self.nullable = nullable
        self.answer = answer
        self.checks_input = inputs
        self.item = handler.item
        self.actor = handler.actor
        self.language = handler.language
        self.context = _context_reader(handler, policy)
        self.content: Callable[[tuple[Any, ...], dict[str, Any]], Content] = self._reader()

    def _reader(self) -> Callable[[tuple[Any, ...], dict[str, Any]], Content]:
        """Reads the content of a call; one text parameter, the usual case, takes a shorter way."""
        if len(self.carriers) != 1:
            return self._collect
        carrier = self.carriers[0]
        shape = carrier.shape
        if not isinstance(shape, (Leaf, Loose)) or shape.kind != "text" or shape.provenance != "user":
            return self._collect
        argument = self.handler.arguments[carrier.root]
        name = self.names.get(carrier.name, carrier.name)
        languages, collect = self.policy.languages, self._collect
        key, default = argument.name, argument.default
        # Behind every position: an argument that is passed by keyword only is never found in ``args``.
        index = argument.index if argument.index >= 0 else sys.maxsize
        if argument.kind not in (argument.kind.POSITIONAL_OR_KEYWORD, argument.kind.KEYWORD_ONLY):
            return collect

        def read(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Content:
            value = args[index] if len(args) > index else kwargs.get(key, default)
            if type(value) is str:
                return LoneText(value, name, languages)
            return collect(args, kwargs)

        return read

    def _collect(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Content:
        parts = Parts(self.names)
        for root, shape, name in self.carriers:
            value = self.handler.arguments[root].get(args, kwargs)
            if value is ABSENT:
                # The call is malformed: say so as Python does, rather than running it unchecked.
                self.handler.signature.bind(*args, **kwargs)
                raise ConfigurationError(f"{self.handler.where}: parameter {root!r} was not passed")
            if value is None and root in self.nullable:
                continue
            shape.collect(value, name, "", parts)
            if value is None or parts.absent:
                self._require(root if value is None else parts.absent[0])
        return parts.content(self.policy.languages)

    def _require(self, name: str) -> None:
        """ConfigurationError where the part called *name*, which was None, is not optional."""
        key = name.partition("[")[0]
        declared = self.policy.content.get(self.names.get(key, key))
        if declared is None or not declared.optional:
            raise ConfigurationError(
                f"{self.handler.where}: {name!r} is None, but its content is required: pass it, annotate it "
                "as `… | None`, or say `optional: true` in the manifest"
            )

    def edited(self, args: tuple[Any, ...], kwargs: dict[str, Any], edits: Mapping[str, Part]) -> Call:
        """The call with redacted content; the caller's objects stay as they are."""
        new_args, new_kwargs = list(args), dict(kwargs)
        lookup = Edits(self.names, edits)
        for root, shape, name in self.carriers:
            argument = self.handler.arguments[root]
            old = argument.get(tuple(new_args), new_kwargs)  # an earlier carrier may have edited it
            new = shape.rebuild(old, name, "", lookup)
            if new is not old:
                argument.put(new_args, new_kwargs, new)
        return tuple(new_args), new_kwargs


def compile_plan(handler: Handler, policy: SurfacePolicy) -> Plan:
    """The plan of *handler* under *policy*. ConfigurationError where hints cannot be resolved, where
    manifest and annotations disagree, or where there is nothing to check."""
    hints = handler.hints()
    said = handler.direction or policy.direction
    annotated = _annotated(handler, hints, "generated" if said == "tool" else "user")
    direction = _direction(handler, policy, annotated, hints.get("return"))
    if direction == "output":
        _no_content_in(annotated, handler)
        matched = Matched((), {}, tuple(policy.content))
    else:
        matched = _with_paths(match(annotated, policy.content, handler.where), handler, policy, hints)
    answer = None
    if direction != "input":
        answer = compile_answer(handler, policy, hints.get("return"), matched.leftover, direction)
    else:
        _nothing_left_over(handler, policy, matched)
    # Under a broken policy the names of the content are unknown: what cannot be found is held all the same.
    inputs = direction != "output" and bool(matched.carriers or policy.broken)
    if not inputs and answer is None:
        raise ConfigurationError(f"{handler.where} carries no content: {_remedy(handler, hints)}")
    nullable = _nullable(handler, policy, matched, hints)
    return Plan(handler, policy, matched, answer, inputs=inputs, nullable=nullable)


def _remedy(handler: Handler, hints: Mapping[str, Any]) -> str:
    """What to write where a handler declares no content."""
    if is_response(hints.get("return")):
        return RESPONSE_REMEDY
    if handler.kind in (Kind.GENERATOR, Kind.ASYNC_GENERATOR):
        kind = "Iterator" if handler.kind is Kind.GENERATOR else "AsyncIterator"
        return (
            f"annotate what it yields, as in `-> {kind}[Annotated[str, Text]]`, or say `direction: output` "
            "in the manifest (to check what it is asked as well, annotate that parameter too)"
        )
    return (
        "annotate a parameter, as in `body: Annotated[str, Text]`, or name it in the manifest, as in "
        "`content: {body: text}`"
    )


def _nullable(
    handler: Handler, policy: SurfacePolicy, matched: Matched, hints: Mapping[str, Any]
) -> frozenset[str]:
    """The parameters that may be None: by hint, by default, or because the manifest calls all that they
    carry optional."""
    found = set()
    for root, shape, name in matched.carriers:
        keys = [matched.names.get(path, path) for path, _ in leaves(shape, name)]
        declared = [policy.content[key] for key in keys if key in policy.content]
        spared = bool(declared) and all(part.optional for part in declared)
        if spared or handler.arguments[root].default is None or allows_none(hints.get(root)):
            found.add(root)
    return frozenset(found)


def _annotated(handler: Handler, hints: Mapping[str, Any], provenance: str) -> dict[str, tuple[Shape, str]]:
    """Parameter → the shape that its annotation declares, and the name its parts begin with."""
    compiler = ShapeCompiler(provenance)
    found: dict[str, tuple[Shape, str]] = {}
    for name, argument in handler.arguments.items():
        if name not in hints:
            continue
        shape = compiler.compile(hints[name], Place(handler.surface, handler.name, name))
        if shape is None:
            continue
        if argument.kind is argument.kind.VAR_POSITIONAL:
            shape = Each(shape)
        elif argument.kind is argument.kind.VAR_KEYWORD:
            shape = Values(shape)
        found[name] = (shape, name)
    return found


def _direction(
    handler: Handler, policy: SurfacePolicy, annotated: Mapping[str, object], returned: Any
) -> str:
    """What is checked. Manifest and decorator must agree, but that a handler may take one side of a
    surface that has both. Where neither says, what is annotated decides."""
    asked = handler.direction
    if policy.unlinked:
        if asked is not None:
            return asked
        if is_marked(returned):
            return "both" if annotated else "output"
        return "input"
    if asked is None or asked == policy.direction or (policy.direction == "both" and asked != "tool"):
        return asked or policy.direction
    raise ConfigurationError(
        f"{handler.where}: direction={asked!r}, but the manifest says direction: {policy.direction}: "
        "change one of them"
    )


def _no_content_in(annotated: Mapping[str, object], handler: Handler) -> None:
    if annotated:
        raise ConfigurationError(
            f"{handler.where}: parameter {next(iter(annotated))!r} is annotated as content, but the surface "
            "checks only what is returned: say `direction: both`, or take the annotation away"
        )


def _with_paths(
    matched: Matched, handler: Handler, policy: SurfacePolicy, hints: Mapping[str, Any]
) -> Matched:
    """*matched* with the leftover keys that begin with a parameter's name, read by path."""
    carriers = list(matched.carriers)
    leftover = []
    for key in matched.leftover:
        first, *fields = policy.content[key].path or key.split(".")
        if first in handler.arguments:
            nullable = allows_none(hints.get(first), fields)
            shape = path_shape(policy.content[key], tuple(fields), "user", nullable=nullable)
            carriers.append(Carrier(first, shape, first))
        else:
            leftover.append(key)
    return Matched(tuple(carriers), matched.names, tuple(leftover))


def _nothing_left_over(handler: Handler, policy: SurfacePolicy, matched: Matched) -> None:
    missing = [key for key in matched.leftover if not policy.content[key].optional]
    if missing:
        known = ", ".join(handler.arguments) or "none"
        raise ConfigurationError(
            f"{handler.where}: the manifest's content names {missing[0]!r}, which is no parameter of the "
            f"handler (it has {known}): rename one of them, write a path such as `payload.{missing[0]}`, or "
            "make the part optional"
        )


def _context_reader(
    handler: Handler, policy: SurfacePolicy
) -> Callable[[tuple[Any, ...], dict[str, Any]], dict[str, object]] | None:
    """Reads the context for ``when``: fields given to the decorator, and declared fields that are
    parameters of the handler. None where there is none. An absent or None value is left out."""
    for field in handler.context:
        if not policy.unlinked and field not in policy.context:
            known = ", ".join(policy.context) or "none"
            raise ConfigurationError(
                f"{handler.where}: context field {field!r} is not in the manifest, which declares: {known}"
            )
    getters: dict[str, Getter] = {
        field: handler.arguments[field].get for field in policy.context if field in handler.arguments
    }
    getters.update(handler.context)
    if not getters:
        return None
    fields = tuple(getters.items())

    def read(args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, object]:
        values = ((field, get(args, kwargs)) for field, get in fields)
        return {field: value for field, value in values if value is not None and value is not ABSENT}

    return read
