"""Content is found wherever a hint or a manifest says it is; edits never touch the caller's objects."""

from __future__ import annotations

import copy
from collections import namedtuple
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, NewType, NotRequired, TypedDict

import pytest
from pydantic import BaseModel, ConfigDict, Field

from spotsafe import Audio, Client, ConfigurationError, Image, SurfaceBlocked, Text, safe_surface
from spotsafe.surface.hints import Place, ShapeCompiler
from spotsafe.surface.parts import Edits, Parts
from spotsafe.testing import FakeDetector

if TYPE_CHECKING:
    from nowhere import Unknown  # type: ignore[import-not-found]  # a hint that cannot be resolved

Body = Annotated[str, Text]
Handle = NewType("Handle", str)


class Model(BaseModel):
    body: Body
    author: str = "ann"


class FrozenModel(BaseModel):
    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)
    title: Annotated[str, Text, Field(max_length=100)]
    tags: list[Body] = []
    inner: Model | None = None


@dataclass
class Plain:
    body: Body
    seen: int = 0
    children: list[Plain] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Frozen:
    body: Body
    other: str = ""

    def __post_init__(self) -> None:
        if "█" in self.body:
            raise ValueError("a redacted copy must not run the constructor again")


@dataclass
class Longer(Plain):
    more: Body = ""


class Typed(TypedDict):
    body: Body
    note: NotRequired[Body]


class Named(NamedTuple):
    body: Body
    number: int = 0


PLACE = Place("s", "f", "it")

CASES: list[tuple[Any, Any, dict[str, str]]] = [
    (Body, "x", {"it": "x"}),
    (Body | None, None, {}),
    (Body | None, "x", {"it": "x"}),
    (Annotated[str | None, Text], "x", {"it": "x"}),
    (Annotated[Handle, Text], "x", {"it": "x"}),
    (Annotated[Annotated[str, "unit"], Text], "x", {"it": "x"}),
    (int | Body, 3, {}),
    (int | Body, "x", {"it": "x"}),
    (list[Body], ["a", "b"], {"it[0]": "a", "it[1]": "b"}),
    (Annotated[list[str], Text], ["a"], {"it[0]": "a"}),
    (Sequence[Body], ("a",), {"it[0]": "a"}),
    (tuple[Body, ...], ("a", "b"), {"it[0]": "a", "it[1]": "b"}),
    (list[list[Body]], [["a"], ["b", "c"]], {"it[0][0]": "a", "it[1][0]": "b", "it[1][1]": "c"}),
    (dict[str, Body], {"k": "a"}, {"it[0]": "a"}),
    (Mapping[str, list[Body]], {"k": ["a", "b"]}, {"it[0][0]": "a", "it[0][1]": "b"}),
    (Model, Model(body="x"), {"it.body": "x"}),
    (Model | int, Model(body="x"), {"it.body": "x"}),
    (
        FrozenModel,
        FrozenModel(title="t", tags=["a"], inner=Model(body="x")),
        {"it.title": "t", "it.tags[0]": "a", "it.inner.body": "x"},
    ),
    (list[Model], [Model(body="x"), Model(body="y")], {"it.body[0]": "x", "it.body[1]": "y"}),
    (Frozen, Frozen("x", "y"), {"it.body": "x"}),
    (Plain, Plain("x", children=[Plain("y")]), {"it.body": "x", "it.children.body[0]": "y"}),
    (Plain, Longer("x", more="y"), {"it.body": "x", "it.more": "y"}),
    (Typed, {"body": "x"}, {"it.body": "x"}),
    (Typed, {"body": "x", "note": "n"}, {"it.body": "x", "it.note": "n"}),
    (Named, Named("x"), {"it.body": "x"}),
    (Model | Frozen, Frozen("x"), {"it.body": "x"}),
    (str, "x", {}),
    (dict[str, Any], {"a": "x"}, {}),
]


@pytest.mark.parametrize(("hint", "value", "found"), CASES)
def test_annotated_content_is_found(hint: Any, value: Any, found: dict[str, str]) -> None:
    """Each leaf becomes one part, named by its path, with positions at the end."""
    shape = ShapeCompiler().compile(hint, PLACE)
    parts = Parts({})
    if shape is not None:
        shape.collect(value, "it", "", parts)
    assert {part.name: part.data for part in parts.found} == found


@pytest.mark.parametrize(("hint", "value", "found"), [case for case in CASES if case[2]])
def test_an_edit_reaches_a_copy_and_never_the_callers_object(
    hint: Any, value: Any, found: dict[str, str]
) -> None:
    """Rebuilding changes exactly the edited leaf; the original compares equal to what it was."""
    shape = ShapeCompiler().compile(hint, PLACE)
    assert shape is not None
    before = copy.deepcopy(value)
    for name, text in found.items():
        edited = shape.rebuild(value, "it", "", Edits({}, {name: Text("██", name)}))
        assert value == before
        assert type(edited) is type(value)
        after = Parts({})
        shape.collect(edited, "it", "", after)
        expected = {**found, name: "██"}
        assert {part.name: part.data for part in after.found} == expected, text
    assert shape.rebuild(value, "it", "", Edits({}, {})) is value


def test_media_and_ready_made_parts_keep_what_they_are() -> None:
    """Bytes become parts of the marked kind; a part keeps its media type and provenance."""
    shape = ShapeCompiler().compile(Annotated[bytes, Image], PLACE)
    parts = Parts({})
    assert shape is not None
    shape.collect(b"png", "cover", "", parts)
    shape.collect(bytearray(b"png"), "cover", "", parts)
    shape.collect(Image(b"png", mime="image/png", provenance="generated"), "cover", "", parts)
    assert {(p.name, p.data) for p in parts.found} == {("cover", b"png")}
    described = [(p.mime, p.provenance) for p in parts.found]
    assert described == [(None, "user"), (None, "user"), ("image/png", "generated")]


WRONG_HINTS = [
    (Annotated[int, Text], "annotated as text but is a int"),
    (Annotated[str, Image], "annotated as image but is a str"),
    (Annotated[str, Text, Image], "several kinds"),
    (tuple[Body, int], "tuple of different items"),
    (dict[Body, int], "keys of a mapping"),
    (list["Unknown"], "cannot be resolved"),
]


@pytest.mark.parametrize(("hint", "message"), WRONG_HINTS)
def test_hints_that_make_no_sense_name_place_and_remedy(hint: Any, message: str) -> None:
    """A hint that cannot mean what it says is a ConfigurationError with surface, callable and path."""
    with pytest.raises(ConfigurationError, match=f"s: f: it.*{message}"):
        ShapeCompiler().compile(hint, PLACE)


WRONG_VALUES: list[tuple[Any, Any]] = [
    (Body, 3), (Body, b"x"), (list[Body], "abc"), (list[Body], iter(["a"])), (int | Body, b"x"),
    (dict[str, Body], ["a"]), (Model, object()), (Body, Image(b"x")), (Annotated[bytes, Audio], "x"),
]  # fmt: skip


@pytest.mark.parametrize(("hint", "value"), WRONG_VALUES)
def test_a_value_of_another_type_is_never_let_through_unchecked(hint: Any, value: Any) -> None:
    """What is not what its annotation says is a ConfigurationError that shows no content."""
    shape = ShapeCompiler().compile(hint, PLACE)
    assert shape is not None
    with pytest.raises(ConfigurationError) as caught:
        shape.collect(value, "it", "", Parts({}))
    assert "it" in str(caught.value)
    assert "abc" not in str(caught.value)


def test_a_keyword_named_like_a_positional_only_parameter_is_content(
    spotsafe_client: Client, spotsafe_detector: FakeDetector
) -> None:
    """Python hands it to the variadic keywords, so it is checked with them."""
    blocked(spotsafe_detector)

    @safe_surface("anything")
    def create(body: int, /, **texts: Body) -> None:
        raise AssertionError("must not run")

    with pytest.raises(SurfaceBlocked):
        create(1, body="idiot")


def test_a_subclass_of_str_cannot_show_detectors_another_text() -> None:
    """What is checked are its characters, whatever its methods say."""

    class Guise(str):
        def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
            return b"nice"

        def __str__(self) -> str:
            return "nice"

    shape = ShapeCompiler().compile(Body, PLACE)
    assert shape is not None
    parts = Parts({})
    shape.collect(Guise("idiot"), "it", "", parts)
    (part,) = parts.found
    assert type(part.data) is str
    assert part.data == "idiot"


def test_a_value_that_contains_itself_is_refused() -> None:
    """A cycle ends in a ConfigurationError, not in a RecursionError."""
    node = Plain("x")
    node.children.append(node)
    shape = ShapeCompiler().compile(Plain, PLACE)
    assert shape is not None
    with pytest.raises(ConfigurationError, match="contains itself"):
        shape.collect(node, "it", "", Parts({}))


# ── with a manifest ───────────────────────────────────────────────────────────────────────────────


def blocked(detector: FakeDetector) -> None:
    detector.say("idiot", {"integrity.spam": 0.9})


class Payload:
    """A class without hints, found by manifest path alone."""

    def __init__(self, body: Any) -> None:
        self.body = body


@pytest.mark.parametrize(
    "payload",
    [
        Payload("idiot"), {"body": "idiot"}, Payload(["fine", "idiot"]), [{"body": "ok"}, {"body": "idiot"}],
        namedtuple("Row", "body")("idiot"),
    ],
    ids=["object", "mapping", "list of texts", "list of mappings", "named tuple"],
)  # fmt: skip
def test_content_is_found_by_manifest_path(
    payload: Any, spotsafe_client: Client, spotsafe_detector: FakeDetector
) -> None:
    """`content: {payload.body: text}` reads attributes, keys and lists without any annotation."""
    blocked(spotsafe_detector)

    @safe_surface("comments.nested")
    def create(payload: Any) -> str:
        return "ran"

    assert create(Payload("fine")) == "ran"
    with pytest.raises(ConfigurationError, match=r"'payload\.body.*' is None, but its content is required"):
        create(Payload(None))
    with pytest.raises(SurfaceBlocked):
        create(payload)
    with pytest.raises(ConfigurationError, match=r"payload.*no field 'body'"):
        create({"text": "idiot"})


def test_annotation_and_manifest_meet_by_path_or_by_last_name(
    spotsafe_client: Client, spotsafe_detector: FakeDetector
) -> None:
    """`body: text` fits an annotated `payload.body`, and the part is called as the manifest calls it."""
    blocked(spotsafe_detector)

    @safe_surface("comments.create")
    def by_last_name(payload: Model) -> None:
        pass

    @safe_surface("comments.nested")
    def by_path(payload: Model) -> None:
        pass

    by_last_name(Model(body="fine"))
    by_path(Model(body="fine"))
    names = [request.content.parts[0].name for request in spotsafe_detector.requests]
    assert names == ["body", "payload.body"]
    for handler in (by_last_name, by_path):
        with pytest.raises(SurfaceBlocked):
            handler(Model(body="idiot"))


def wrong_kind(body: Annotated[bytes, Image]) -> None: ...
def undeclared(body: Body, title: Body) -> None: ...
def misnamed(text: str) -> None: ...
def unresolved(body: Body, other: Unknown) -> None: ...
def nothing(user: str) -> None: ...
def unknown_context(body: Body, years: int) -> None: ...


@pytest.mark.parametrize(
    ("surface", "handler", "options", "message"),
    [
        ("comments.create", wrong_kind, {}, "body is annotated as image.*says body: text"),
        ("comments.create", undeclared, {}, "title is annotated as text.*add `title: text`"),
        ("comments.create", misnamed, {}, "names 'body'.*no parameter.*it has text.*`payload.body`"),
        ("comments.create", unresolved, {}, "parameter 'other'.*make the name importable"),
        ("anything", nothing, {}, r"carries no content: annotate a parameter"),
        ("not.declared", nothing, {}, r"carries no content: annotate a parameter"),
        ("comments.create", wrong_kind, {"direction": "output"}, "direction='output'.*says direction: input"),
        ("answers", undeclared, {}, "'body' is annotated as content.*say `direction: both`"),
        (
            "comments.create", unknown_context, {"context": {"years": "years"}},
            "context field 'years' is not in the manifest, which declares: age",
        ),
    ],
)  # fmt: skip
def test_a_handler_that_does_not_fit_its_manifest_is_refused(
    surface: str, handler: Any, options: dict[str, Any], message: str, spotsafe_client: Client
) -> None:
    """The first call (and prepare) raises ConfigurationError with surface, callable, place and remedy."""
    guarded = safe_surface(surface, **options)(handler)
    with pytest.raises(ConfigurationError, match=f"{surface}: {handler.__name__}.*{message}"):
        guarded(*["x"] * len(handler.__annotations__.keys() - {"return"}))


def test_an_unresolved_return_hint_matters_only_where_answers_are_checked(spotsafe_client: Client) -> None:
    """On an input surface it is ignored; on an output surface it could hide content, so it is an error."""

    def handler(body: Body = "") -> Unknown:
        return body

    assert safe_surface("comments.create")(handler)("fine") == "fine"
    with pytest.raises(ConfigurationError, match=r"chat: .*returned value has a type hint that cannot"):
        safe_surface("chat")(answering())("fine")


def answering() -> Any:
    def handler(prompt: Body) -> Unknown:
        return prompt

    return handler


def test_a_surface_without_manifest_runs_under_the_floor(
    spotsafe_client: Client, spotsafe_detector: FakeDetector, caplog: pytest.LogCaptureFixture
) -> None:
    """It is guarded by the floor, says so once, and is counted as decorated without a manifest."""
    spotsafe_detector.say("I will kill you", {"violence.threat": 0.99})

    @safe_surface("brand.new")
    def create(body: Body) -> str:
        return body

    assert create("hello") == "hello"
    with pytest.raises(Exception, match="checked before"):
        create("I will kill you")
    warnings = [r for r in caplog.records if "brand.new" in r.getMessage()]
    assert len(warnings) == 1
    assert "no manifest" in warnings[0].getMessage()


def test_a_new_client_brings_a_new_plan(spotsafe_client: Client, spotsafe_detector: FakeDetector) -> None:
    """After configure() the next call runs under the new client's policy."""
    import spotsafe

    @safe_surface("comments.create")
    def create(body: Body) -> str:
        return body

    blocked(spotsafe_detector)
    with pytest.raises(SurfaceBlocked):
        create("idiot")
    with Client(detector=FakeDetector(), fallback=None, telemetry=False, app="other") as other:
        spotsafe.configure(other)
        assert create("idiot") == "idiot"
    spotsafe.configure(spotsafe_client)
    with pytest.raises(SurfaceBlocked):
        create("idiot")


def test_absent_optional_content_is_nothing_to_check(
    spotsafe_client: Client, spotsafe_detector: FakeDetector
) -> None:
    """A call whose content is None runs; no detector is asked."""

    @safe_surface("anything")
    def create(body: Body | None = None) -> str:
        return "ran"

    assert create() == "ran"
    assert create(None) == "ran"
    assert spotsafe_detector.requests == []
