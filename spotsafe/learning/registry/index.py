"""The index: which versions of which models there are, which stage each is in, and who moved it there.

One JSON document, signed. Its serial number only grows, so that a reader that remembers
the last one it saw cannot be shown an older index.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from enum import Enum
from pathlib import PurePosixPath
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from spotsafe.core.errors import ConfigurationError

NAME = r"^[a-z0-9][a-z0-9._-]{0,63}$"


class Stage(str, Enum):
    """Where a version stands: tried by its makers, asked beside the live one, or answering."""

    CANDIDATE = "candidate"
    SHADOW = "shadow"
    LIVE = "live"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Version(_Strict):
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


class Move(_Strict):
    """One change of a stage: what was moved, from where, by whom, on which ground. *gate* is the SHA-256 of
    the gate's result where one was run."""

    at: float
    by: str
    action: Literal["added", "promoted", "rolled back", "retired"]
    version: str
    stage: Stage
    before: str | None = None
    gate: str | None = None
    reason: str = ""


class Model(_Strict):
    """One model: its versions by name, the version in each stage, and every move, oldest first."""

    versions: dict[Annotated[str, Field(pattern=NAME)], Version] = {}
    stages: dict[Stage, str] = {}
    history: tuple[Move, ...] = ()

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


class Index(_Strict):
    """The whole index."""

    format: Literal[1] = 1
    serial: int = 0
    models: dict[Annotated[str, Field(pattern=NAME)], Model] = {}

    def with_model(self, name: str, model: Model) -> Index:
        """The next index, in which *name* is *model*."""
        return Index(serial=self.serial + 1, models={**self.models, name: model})

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
