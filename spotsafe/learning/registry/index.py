"""The index: which versions of which models there are, which stage each is in, and who moved it there.

One JSON document, signed. Its serial number only grows, so that a reader that remembers the last one it saw
cannot be shown an older index (:mod:`spotsafe.learning.registry.seen`); and it runs out, so that one that is
kept from the current index notices.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from enum import Enum
from pathlib import PurePosixPath
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from spotsafe.core.errors import ConfigurationError

VALID_FOR = 180 * 86_400.0
"""Seconds for which an index counts, where nothing else is said."""

MOST_VALID = 3_650 * 86_400.0
"""Seconds for which an index may count: ten years."""

LATEST = 2.0**37
"""A Unix time that calendars can still write (in the year 6325)."""

NAME = r"^[a-z0-9][a-z0-9._-]{0,63}$"


class Stage(str, Enum):
    """Where a version stands: tried by its makers, asked beside the live one, or answering."""

    CANDIDATE = "candidate"
    SHADOW = "shadow"
    LIVE = "live"


class Strict(BaseModel):
    """Frozen, nothing extra; errors never repeat the input."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Version(Strict):
    """One version of a model: *files* (path → SHA-256), *card* (the path of its card among them), *recipe*
    (the command that made it), *data* (name of a set → SHA-256) and when it was added (Unix seconds)."""

    files: dict[str, str]
    card: str | None = None
    recipe: str = ""
    data: dict[str, str] = {}
    added: float

    @field_validator("files")
    @classmethod
    def _inside(cls, files: dict[str, str]) -> dict[str, str]:
        for name in files:
            path = PurePosixPath(name)
            if path.is_absolute() or ".." in path.parts or not path.parts:
                raise ValueError("a file lies outside of its version")
        return files


class Move(Strict):
    """One change of a stage: what was moved, from where, by whom, on which ground. *gate* is the SHA-256 of
    the gate's result where one was run."""

    at: float
    by: str
    action: Literal["added", "promoted", "rolled back"]
    version: str
    stage: Stage
    before: str | None = None
    gate: str | None = None
    reason: str = ""


class Model(Strict):
    """One model: its versions by name, the version in each stage, and every move, oldest first."""

    versions: dict[Annotated[str, Field(pattern=NAME)], Version] = {}
    stages: dict[Stage, str] = {}
    history: tuple[Move, ...] = ()

    def after(self, move: Move) -> Model:
        """This model when *move* was made, which also says from then on what was in the stage before."""
        made = move.model_copy(update={"before": self.stages.get(move.stage)})
        stages = {**self.stages, move.stage: move.version}
        return self.model_copy(update={"stages": stages, "history": (*self.history, made)})

    def previous(self, stage: Stage) -> str | None:
        """The version that was in *stage* before the one that is there now, and was not rolled back."""
        line: list[str] = []
        for move in self.history:
            if move.stage is not stage or move.action == "added":
                continue
            if move.action == "promoted":
                line.append(move.version)
            elif line:
                line.pop()
        return line[-2] if len(line) > 1 else None


class Index(Strict):
    """The whole index of one *registry* (its id, given when it was made). It counts until *expires* (Unix
    seconds), and every change makes it good for another *valid_for* seconds."""

    format: Literal[1] = 1
    registry: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
    serial: int = 0
    expires: Annotated[float, Field(ge=0, lt=LATEST)]
    valid_for: Annotated[float, Field(gt=0, le=MOST_VALID)] = VALID_FOR
    models: dict[Annotated[str, Field(pattern=NAME)], Model] = {}

    def following(self, now: float, *, highest: int = 0) -> Index:
        """The next index, of the same content: numbered above this one and above *highest*, good from *now*
        on."""
        serial = max(self.serial, highest) + 1
        return self.model_copy(update={"serial": serial, "expires": now + self.valid_for})

    def with_model(self, name: str, model: Model) -> Index:
        """This index, in which *name* is *model*."""
        return self.model_copy(update={"models": {**self.models, name: model}})

    def dump(self) -> bytes:
        """The document that is signed: sorted keys, no spaces, UTF-8."""
        document = self.model_dump(mode="json")
        return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def parse_index(data: bytes, place: str) -> Index:
    """The index in *data*. Raises ConfigurationError naming *place*."""
    try:
        return Index.model_validate_json(data)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "the index"
        raise ConfigurationError(f"{place}: {where}: {first['msg']}; restore it from a copy") from None


def day(seconds: float) -> str:
    """A Unix time as a UTC date and time for people."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M")
