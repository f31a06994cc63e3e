"""The manifest as pydantic models: strict, nothing extra, and every field described.

The descriptions are the manifest reference (:mod:`spotsafe.policy.reference`) and what editors show.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    WithJsonSchema,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from spotsafe.core.content import DIRECTIONS, KINDS, Destination
from spotsafe.core.receipts import Keeper, OnExpiry
from spotsafe.core.signals import Cause
from spotsafe.policy.fields import (
    ACTION_SCHEMA,
    LANGUAGE,
    RULE_ID,
    SURFACE_NAME,
    ActionField,
    Deadline,
    Duration,
    Instant,
    LabelPattern,
    LabelPatterns,
    ModeField,
    label_key,
)
from spotsafe.policy.surface import CONTEXT_TYPES

Audience = Literal["public", "group", "private", "minors"]
_CAUSES = tuple(cause.value for cause in Cause)


class _Words:
    """Marks an enum's field: manifests write the words, the model holds the members."""

    def __get_pydantic_core_schema__(self, source: type[StrEnum], _: GetCoreSchemaHandler) -> CoreSchema:
        words = core_schema.literal_schema([word.value for word in source])
        return core_schema.no_info_after_validator_function(source, words)


def _short(value: Any, key: str) -> Any:
    """``x`` written short for ``{key: x}``."""
    return value if isinstance(value, dict) else {key: value}


class Strict(BaseModel):
    """Unknown keys, wrong types and silent conversions are errors; errors never repeat the input."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, hide_input_in_errors=True, use_attribute_docstrings=True
    )


class Shortened(Strict):
    """A mapping that may be written as the value of its one main key."""

    short_key: ClassVar[str]

    @model_validator(mode="before")
    @classmethod
    def short(cls, value: Any) -> Any:
        return _short(value, cls.short_key)

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        generated = handler(core_schema)
        whole = handler.resolve_ref_schema(generated)
        full = {key: value for key, value in whole.items() if key != "description"}
        short = {k: v for k, v in full["properties"][cls.short_key].items() if k not in ("default", "title")}
        described = whole.get("description", "")
        whole.clear()
        whole.update({"description": described, "anyOf": [short, full]})
        return generated


class PartModel(Shortened):
    """One part of the content. Short: `body: text`."""

    short_key: ClassVar[str] = "type"

    type: Literal[KINDS]  # type: ignore[valid-type]  # one source for the words
    """What kind of content it is. Audio and video are never checked inside a request: they make the
    surface's deadline `async`."""
    optional: bool = False
    """Whether the part may be absent."""


class ContextModel(Shortened):
    """One context field that callers pass and `when` may read. Short: `market: string`."""

    short_key: ClassVar[str] = "type"

    type: Literal[CONTEXT_TYPES]  # type: ignore[valid-type]  # one source for the words
    """Its type; `strings` is a list of strings."""
    record: bool = False
    """Whether decision events carry its value. Nothing of the context is recorded otherwise."""


class IfMissing(Shortened):
    """What happens where a detector cannot give a label, by cause. Short: `if_missing: hold` for all."""

    short_key: ClassVar[str] = "default"

    default: ActionField = None
    """For every cause not named here, and where `when` cannot be told because a context field is missing."""
    unsupported: ActionField = None
    """No detector knows the label."""
    language: ActionField = None
    """The detector does not cover the content's language for this label."""
    modality: ActionField = None
    """The detector does not read this kind of part."""
    size: ActionField = None
    """The part is too large for the detector."""


class RuleModel(Strict):
    """One rule. It fires, label by label, when a score reaches `at`; all that fire are joined."""

    id: str = Field(pattern=RULE_ID, max_length=64)
    """Its name, unique in the surface; in records it is `surface#id`."""
    label: LabelPatterns
    """The label it reads, a pattern (`hate.*`), or a list of either."""
    at: float = Field(ge=0, le=1, allow_inf_nan=False)
    """The score from which it fires, 0 to 1. A label's score is its maximum over the parts read."""
    then: ActionField
    """What happens: a disposition (`allow`, `limit`, `hold`, `block`), effects (`label`, `nudge`,
    `age_gate`, `redact`, `review`, `quarantine`), or a list that joins them."""
    when: str | None = Field(default=None, min_length=1, max_length=2000)
    """A CEL condition over the declared context; the rule fires only where it holds. A condition that
    cannot be told counts as a missing value, never as false."""
    parts: list[str] = Field(default=[], max_length=32)
    """The parts it reads; all of them unless given."""
    notice: str | None = None
    """The key of the notice that people see when it fires on a score, and on nothing else."""
    mode: ModeField = None
    """The rule's own roll-out mode, instead of the surface's."""
    if_missing: IfMissing | None = None
    """What happens where the label cannot be given. Unless stated: `hold` for labels of severity 3 and
    4, otherwise `allow`."""


class CacheModel(Strict):
    """How long signals are reused."""

    ttl: Duration = None
    """For how long a check of the same content is reused; 0 turns caching off."""
    stale: Duration = None
    """For how long after that old signals may still help while the detector fails."""


class HoldModel(Strict):
    """What becomes of held content."""

    keep: Annotated[Keeper, _Words()] | None = None
    """Who keeps it: the product (its draft) or the client's encrypted outbox."""
    ttl: Duration = None
    """How long a hold waits for a verdict."""
    on_expiry: Annotated[OnExpiry, _Words()] | None = None
    """What an expired hold means. `release` lets go only what the surface's own rules held on a score; what
    a baseline held is rejected."""


class PrivacyModel(Strict):
    """Where content may go and how long events about it are kept."""

    send: Annotated[Destination, _Words()] | None = None
    """`service`: content may be sent to the detection service; `local`: it never leaves the process."""
    retain: Duration = None
    """How long decision events are kept."""


class ExampleModel(BaseModel):
    """One example, run by `spotsafe test`: content by part, and the action expected.

    Every other key is a part of the content.
    """

    model_config = ConfigDict(
        extra="allow", strict=True, frozen=True, hide_input_in_errors=True, use_attribute_docstrings=True
    )
    __pydantic_extra__: dict[str, str]

    expect: ActionField
    """The expected disposition and effects: an action word, or a list."""
    scores: dict[LabelPattern, Annotated[float, Field(ge=0, le=1)]] | None = None
    """Scripted scores by label; labels not named score 0 and no detector is asked."""
    missing: dict[LabelPattern, Literal[_CAUSES]] | None = None  # type: ignore[valid-type]  # as above
    """Scripted gaps: label to cause."""
    context: dict[str, Any] = {}
    """Values of the declared context fields."""
    languages: list[Annotated[str, Field(pattern=LANGUAGE)]] = []
    """The languages the example is in."""


OnFailure = Annotated[
    dict[Annotated[str, BeforeValidator(label_key)], ActionField],
    BeforeValidator(lambda value: _short(value, "default")),
    WithJsonSchema(
        {
            "anyOf": [
                ACTION_SCHEMA,
                {"type": "object", "additionalProperties": ACTION_SCHEMA, "minProperties": 1},
            ]
        }
    ),
]


class LayerModel(Strict):
    """What a surface and a baseline can both state."""

    about: str = Field(default="", max_length=500)
    """One sentence: what people do here."""
    content: dict[str, PartModel] = Field(default={}, max_length=32)
    """The parts of the content, by parameter or path (`payload.body: text`). Empty: whatever the
    handler annotates."""
    languages: list[Annotated[str, Field(pattern=LANGUAGE)]] = Field(default=[], max_length=64)
    """The languages that the content is expected in."""
    mode: ModeField = None
    """`shadow` alters and holds nothing, `{canary: 10}` enforces for ten percent of actors, `enforce`
    for all. Default: `enforce`."""
    deadline: Deadline = None
    """How long a check may take in all, or `async`: hold at once, check in the service. Default: 150ms,
    with a picture 3s; audio and video are always `async`."""
    cache: CacheModel = CacheModel()
    """How long signals are reused. Default: ttl 10m, stale 1h."""
    rules: list[RuleModel] = Field(default=[], max_length=200)
    """The rules, added to those of the baseline."""
    if_missing: IfMissing | None = None
    """What happens where a label cannot be given, for rules that do not state their own."""
    on_failure: OnFailure | None = None
    """What happens where a detector fails, by label pattern; the most specific counts. Default: `hold`."""
    hold: HoldModel = HoldModel()
    """What becomes of held content. Default: kept by the product, 72h, then rejected."""
    privacy: PrivacyModel = PrivacyModel()
    """Where content may go. Default: sent to the service, events kept 180d."""
    notices: dict[str, dict[Annotated[str, Field(pattern=LANGUAGE)], str]] = {}
    """Texts for people, by key and language. They name no rule, score or threshold.
    `held` is shown where content is held because it could not be checked."""


class SurfaceModel(LayerModel):
    """One surface: a place where content comes in or goes out."""

    extends: str | None = None
    """A baseline for this surface alone, instead of the manifest's."""
    direction: Literal[DIRECTIONS] = "input"  # type: ignore[valid-type]  # as above
    """Whether content comes from people, goes to them, both, or passes between programs."""
    audience: Audience | None = None
    """Who sees it. The baseline says which it admits; default: the first of those."""
    context: dict[Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_]*$")], ContextModel] = Field(
        default={}, max_length=64
    )
    """The context fields that callers may pass."""
    service: str = Field(default="main", min_length=1, max_length=64)
    """The reporting unit for regulators."""
    examples: list[ExampleModel] = Field(default=[], max_length=500)
    """What must be allowed and what must not; run by `spotsafe test` and in CI."""


class WaiverModel(Strict):
    """Leave for one surface to go without one baseline rule. It counts only from the platform's file."""

    rule: str = Field(pattern=r"^baseline/[a-z0-9_-]+#[a-z0-9_-]+$")
    """The baseline rule, e.g. `baseline/public-ugc#profanity`."""
    surface: str = Field(pattern=SURFACE_NAME)
    """The surface it is waived for."""
    owner: str = Field(min_length=1)
    """Who asked for it and answers for it."""
    reason: str = Field(min_length=1)
    """Why it is needed, and what protects people instead."""
    approver: str = Field(min_length=1)
    """Who on the platform's side agreed."""
    ends: Instant
    """When it ends: an instant in UTC."""


class ManifestModel(Strict):
    """A team's manifest."""

    spotsafe: Literal[1]
    """The version of the manifest format."""
    team: str = Field(min_length=1, max_length=100)
    """The team that owns the surfaces; adoption is shown by it."""
    owner: str = Field(min_length=1, max_length=200)
    """Whom to ask: an address that stays when people move."""
    extends: str = "baseline/floor"
    """The baseline under every surface of this manifest. A surface adds to it and never loosens it."""
    surfaces: dict[Annotated[str, Field(pattern=SURFACE_NAME)], SurfaceModel] = Field(min_length=1)
    """The surfaces by name, as in `@safe_surface("comments.create")`."""
    waivers: list[WaiverModel] = []
    """Requests for waivers. They count only once the platform has them in its own file."""


class AutomaticModel(Strict):
    """Leave for automatic blocks on labels that otherwise need a person's decision."""

    label: LabelPattern
    """The label or pattern."""
    automatic: Literal["allowed"]
    """Always `allowed`: the statement that a machine may decide alone."""
    basis: str = Field(min_length=10)
    """The legal or contractual basis, in words."""


class BaselineModel(LayerModel):
    """A baseline: what every surface that extends it has at least."""

    spotsafe: Literal[1]
    """The version of the manifest format."""
    baseline: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")
    """Its name; manifests extend `baseline/NAME`."""
    extends: str | None = None
    """The baseline under this one. Only the shipped floor has none."""
    audiences: list[Audience] = []
    """The audiences it admits; those of the baseline under it unless given."""
    decisions: list[AutomaticModel] = []
    """Labels for which an automatic block is allowed although the taxonomy asks for a person. Counts
    only in the platform's own file."""


class PlatformModel(Strict):
    """The platform's own file (`Client(waivers=…)`): waivers that count, and baselines of the platform."""

    spotsafe: Literal[1]
    """The version of the manifest format."""
    waivers: list[WaiverModel] = []
    """Waivers in force until they end."""
    baselines: list[BaselineModel] = []
    """Baselines of the platform; each extends a shipped one."""
    services: list[str] = []
    """The reporting units that exist. Lint warns of surfaces that name another one."""
