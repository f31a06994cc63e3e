"""The registry: adding versions, moving them through stages, and laying the live one out for an engine.

A version enters as ``candidate``. It is promoted to ``shadow`` or ``live`` only with the result of a gate
that it passed, which is kept beside it. Rolling back needs no gate: it must work when all else does not.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spotsafe.core.errors import ConfigurationError
from spotsafe.core.seams import Clock
from spotsafe.learning.registry.index import Index, Model, Move, Stage, Version, parse_index
from spotsafe.learning.registry.keys import signed_by
from spotsafe.learning.registry.objects import Objects

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

INDEX, LOCK = "index.signed", ".lock"
"""One file holds the signature (base64, the first line) and what it signs (the rest), so that no reader ever
sees one without the other."""
GATES = "gates"
"""Where results of gates lie, each under the SHA-256 of its bytes."""


class Registry:
    """A registry in *folder*, read with the *trusted* public keys and changed with *key*.

    *least_serial*: the serial number of the last index that was seen; an older one is refused.
    """

    def __init__(
        self,
        folder: Path,
        trusted: Sequence[Ed25519PublicKey],
        *,
        key: Ed25519PrivateKey | None = None,
        clock: Clock,
        least_serial: int = 0,
    ) -> None:
        self.folder = folder
        self.objects = Objects(folder)
        self._trusted = tuple(trusted)
        self._key = key
        self._clock = clock
        self._least = least_serial

    @classmethod
    def create(cls, folder: Path, key: Ed25519PrivateKey, *, clock: Clock) -> Registry:
        """A new, empty registry. Raises ConfigurationError where *folder* holds one."""
        if (folder / INDEX).exists():
            raise ConfigurationError(f"{folder} holds a registry already; name another folder")
        folder.mkdir(parents=True, exist_ok=True)
        registry = cls(folder, [key.public_key()], key=key, clock=clock)
        registry._write(Index(serial=1))
        return registry

    # ── reading ─────────────────────────────────────────────────────────────────────────────────

    def index(self) -> Index:
        """The index, once its signature was found good. Raises ConfigurationError."""
        path = self.folder / INDEX
        try:
            line, _, data = path.read_bytes().partition(b"\n")
        except OSError as error:
            raise ConfigurationError(
                f"{self.folder}: no registry can be read ({error.strerror}); spotsafe models init makes one"
            ) from None
        try:
            signature = b64decode(line, validate=True)
        except ValueError:
            signature = b""
        if not signed_by(data, signature, self._trusted):
            raise ConfigurationError(
                f"{path}: no trusted key signed this index; give the right public key with --trust, or "
                "restore the index from a copy"
            )
        index = parse_index(data, str(path))
        if index.serial < self._least:
            raise ConfigurationError(
                f"{path}: index {index.serial} is older than {self._least}, which was seen before; fetch the "
                "current one"
            )
        self._least = index.serial
        return index

    def model(self, name: str) -> Model:
        """The model *name*. Raises ConfigurationError."""
        models = self.index().models
        if name not in models:
            raise ConfigurationError(f"no model {name!r} here; there are: {', '.join(models) or 'none'}")
        return models[name]

    def version(self, name: str, which: str) -> tuple[str, Version]:
        """The version *which* of a model, by its name or the stage that it is in, with its name. Raises
        ConfigurationError."""
        model = self.model(name)
        stages = {stage.value: version for stage, version in model.stages.items()}
        found = stages.get(which, which)
        if found not in model.versions:
            known = ", ".join([*stages, *model.versions]) or "none"
            raise ConfigurationError(f"model {name!r} has no version or stage {which!r}; there are: {known}")
        return found, model.versions[found]

    def card(self, name: str, which: str) -> str:
        """The model card of a version, markdown. Raises ConfigurationError."""
        found, version = self.version(name, which)
        if version.card is None:
            raise ConfigurationError(f"{name} {found} was added without a card; add it again with --card")
        return self.objects.read(version.files[version.card]).decode("utf-8", "replace")

    def lay_out(self, name: str, which: str, folder: Path) -> Path:
        """Write the files of a version into *folder*, each checked against the index: what an engine loads.
        Raises ConfigurationError."""
        return self.objects.lay_out(self.version(name, which)[1].files, folder)

    # ── changing ────────────────────────────────────────────────────────────────────────────────

    def add(
        self,
        name: str,
        files: Mapping[str, Path],
        *,
        by: str,
        card: str | None = None,
        recipe: str = "",
        data: Mapping[str, str] | None = None,
    ) -> str:
        """Keep *files* (path inside the version → where it lies now) as a candidate of the model *name*; the
        version's name, which is made of the files' digests: the same files are the same version."""
        if not files:
            raise ConfigurationError(f"model {name!r}: there are no files to add")
        if card is not None and card not in files:
            raise ConfigurationError(f"model {name!r}: the card {card!r} is not among its files")
        kept = {path: self.objects.put(source) for path, source in sorted(files.items())}
        version = sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()[:12]
        now = self._clock.now()
        with self._changing() as index:
            model = index.models.get(name, Model())
            if version in model.versions:
                return version
            entry = Version(files=kept, card=card, recipe=recipe, data=dict(data or {}), added=now)
            stage = Stage.CANDIDATE
            before = model.stages.get(stage)
            move = Move(at=now, by=by, action="added", version=version, stage=stage, before=before)
            changed = Model(
                versions={**model.versions, version: entry},
                stages={**model.stages, stage: version},
                history=(*model.history, move),
            )
            self._write(index.with_model(name, changed))
        return version

    def promote(
        self, name: str, which: str, stage: Stage, *, gate: Mapping[str, Any], by: str, reason: str = ""
    ) -> str:
        """Put a version into ``shadow`` or ``live``; the version that was there before. *gate*: the result of
        the gate that it was measured by, kept. Raises ConfigurationError where it did not pass."""
        if stage is Stage.CANDIDATE:
            raise ConfigurationError(
                "a version is a candidate when it is added; promote it to shadow or live"
            )
        if gate.get("passed") is not True:
            raise ConfigurationError(f"{name} {which} did not pass its gate; it stays where it is")
        with self._changing() as index:
            version, _ = self.version(name, which)
            if gate.get("version", version) != version:
                # Somebody added a candidate while the gate ran on the one before it.
                raise ConfigurationError(
                    f"{name} {which} is not the version that the gate was run on: run it again"
                )
            model = index.models[name]
            before = model.stages.get(stage)
            if before == version:
                return version
            move = Move(
                at=self._clock.now(), by=by, action="promoted", version=version, stage=stage, before=before,
                gate=self._keep_gate(gate), reason=reason,
            )  # fmt: skip
            stages = {**model.stages, stage: version}
            changed = model.model_copy(update={"stages": stages, "history": (*model.history, move)})
            self._write(index.with_model(name, changed))
        return before or ""

    def roll_back(self, name: str, stage: Stage, *, by: str, reason: str) -> str:
        """Put the version that was in *stage* before into it again; its name. Raises ConfigurationError where
        there was none, or without a reason."""
        if not reason.strip():
            raise ConfigurationError("say why with --reason; the next person will want to know")
        with self._changing() as index:
            model = self.model(name)
            version = model.previous(stage)
            if version is None:
                raise ConfigurationError(f"model {name!r} had no version in {stage.value} before this one")
            move = Move(
                at=self._clock.now(), by=by, action="rolled back", version=version, stage=stage,
                before=model.stages.get(stage), reason=reason,
            )  # fmt: skip
            stages = {**model.stages, stage: version}
            changed = model.model_copy(update={"stages": stages, "history": (*model.history, move)})
            self._write(index.with_model(name, changed))
        return version

    @contextmanager
    def _changing(self) -> Iterator[Index]:
        """The index to change, while nobody else does."""
        import fcntl

        if self._key is None:
            raise ConfigurationError("a registry is changed with its private key; give it with --key")
        with open(self.folder / LOCK, "w", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield self.index()

    def _write(self, index: Index) -> None:
        if self._key is None:
            raise ConfigurationError("a registry is changed with its private key; give it with --key")
        data = index.dump()
        temporary = self.folder / f"{INDEX}.new"
        temporary.write_bytes(b64encode(self._key.sign(data)) + b"\n" + data)
        temporary.replace(self.folder / INDEX)
        self._least = index.serial

    def _keep_gate(self, result: Mapping[str, Any]) -> str:
        data = json.dumps(result, sort_keys=True, indent=1, default=str).encode()
        digest = sha256(data).hexdigest()
        folder = self.folder / GATES
        folder.mkdir(exist_ok=True)
        (folder / f"{digest}.json").write_bytes(data)
        return digest
