"""The registry as whoever holds its key changes it: adding versions and moving them through stages.

A version enters as ``candidate``. It is promoted to ``shadow`` or ``live`` only with the result of a gate
that it passed, which is kept beside it. Rolling back needs no gate: it must work when all else does not.
"""

from __future__ import annotations

import json
import secrets
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spotsafe.core.errors import ConfigurationError
from spotsafe.core.seams import Clock
from spotsafe.learning.registry.index import VALID_FOR, Index, Model, Move, Stage, Version
from spotsafe.learning.registry.reading import INDEX, RegistryReader, find_version
from spotsafe.learning.registry.seen import Seen, Sighting
from spotsafe.learning.registry.whole import write_whole

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

LOCK = ".lock"
GATES = "gates"
"""Where results of gates lie, each under the SHA-256 of its bytes."""


class Registry(RegistryReader):
    """A registry in *folder*, changed with *key*; read with the key's public half and *trusted* ones."""

    def __init__(
        self,
        folder: Path,
        key: Ed25519PrivateKey,
        *,
        clock: Clock,
        seen: Seen,
        trusted: Sequence[Ed25519PublicKey] = (),
        least_serial: int = 0,
    ) -> None:
        everyone = [key.public_key(), *trusted]
        super().__init__(folder, everyone, clock=clock, seen=seen, least_serial=least_serial)
        self._key = key

    @classmethod
    def create(
        cls, folder: Path, key: Ed25519PrivateKey, *, clock: Clock, seen: Seen, valid_for: float = VALID_FOR
    ) -> Registry:
        """A new, empty registry, whose index counts for *valid_for* seconds after each change. Raises
        ConfigurationError where *folder* holds one."""
        if (folder / INDEX).exists():
            raise ConfigurationError(f"{folder} holds a registry already; name another folder")
        folder.mkdir(parents=True, exist_ok=True)
        registry = cls(folder, key, clock=clock, seen=seen)
        now = clock.now()
        index = Index(registry=secrets.token_hex(16), serial=1, expires=now + valid_for, valid_for=valid_for)
        # Whoever makes a registry in the place of another means to.
        seen.accept(registry._put(index), at=now, by="", reason="made here")
        return registry

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
        version's name, which is made of the files' digests: the same files are the same version, to which at
        most a *card* is added."""
        if not files:
            raise ConfigurationError(f"model {name!r}: there are no files to add")
        if card is not None and card not in files:
            raise ConfigurationError(f"model {name!r}: the card {card!r} is not among its files")
        kept = {path: self.objects.put(source) for path, source in sorted(files.items())}
        version = sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()[:12]
        with self._changing() as index:
            model = index.models.get(name, Model())
            known = model.versions.get(version)
            if known is None:
                entry = Version(
                    files=kept, card=card, recipe=recipe, data=dict(data or {}), added=self._clock.now()
                )
                model = model.after(
                    Move(at=entry.added, by=by, action="added", version=version, stage=Stage.CANDIDATE)
                )
            elif card is None or known.card == card:
                return version
            else:
                entry = known.model_copy(update={"card": card})
            versions = {**model.versions, version: entry}
            self._write(index.with_model(name, model.model_copy(update={"versions": versions})))
        return version

    def promote(
        self, name: str, which: str, stage: Stage, *, gate: Mapping[str, Any], by: str, reason: str = ""
    ) -> str:
        """Put a version into ``shadow`` or ``live``; the version that was there before. *gate*: the result of
        the gate that it was measured by (``passed``, ``results``, and the ``version`` it was run on), kept.
        Raises ConfigurationError where it did not pass, asked nothing, or was run on another version."""
        if stage is Stage.CANDIDATE:
            raise ConfigurationError(
                "a version is a candidate when it is added; promote it to shadow or live"
            )
        with self._changing() as index:
            version, entry = find_version(index, name, which)
            _check_gate(gate, name, version)
            self.objects.check(entry.files)
            model = index.models[name]
            before = model.stages.get(stage)
            if before == version:
                return version
            move = Move(
                at=self._clock.now(), by=by, action="promoted", version=version, stage=stage,
                gate=self._keep_gate(gate), reason=reason,
            )  # fmt: skip
            self._write(index.with_model(name, model.after(move)))
        return before or ""

    def roll_back(self, name: str, stage: Stage, *, by: str, reason: str) -> str:
        """Put the version that was in *stage* before into it again; its name. Raises ConfigurationError where
        there was none or its files are gone, or without a reason."""
        if not reason.strip():
            raise ConfigurationError("say why with --reason; the next person will want to know")
        with self._changing() as index:
            current, _ = find_version(index, name, stage.value)
            model = index.models[name]
            version = model.previous(stage)
            if version is None:
                raise ConfigurationError(
                    f"model {name!r} had no version in {stage.value} before {current}; promote another one"
                )
            self.objects.check(model.versions[version].files)
            move = Move(
                at=self._clock.now(), by=by, action="rolled back", version=version, stage=stage, reason=reason
            )
            self._write(index.with_model(name, model.after(move)))
        return version

    def renew(self, *, valid_for: float | None = None) -> Index:
        """Sign the index anew, with this key: good for longer (*valid_for* seconds from now on and after each
        later change, where given), numbered above all that was seen. Returns it."""
        with self._changing() as index:
            return self._write(
                index if valid_for is None else index.model_copy(update={"valid_for": valid_for})
            )

    @contextmanager
    def _changing(self) -> Iterator[Index]:
        """The index to change, while nobody else does. One that ran out may be changed: that renews it."""
        import fcntl

        try:
            lock = open(self.folder / LOCK, "w", encoding="ascii")  # noqa: SIM115  # closed below
        except FileNotFoundError:
            raise ConfigurationError(
                f"{self.folder}: there is no registry; spotsafe models init makes one"
            ) from None
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            index, sighting = self._verified()
            self._seen.take(sighting)
            yield index

    def _write(self, index: Index) -> Index:
        """Sign *index* as the one that follows, and put it in place."""
        following = index.following(self._clock.now(), highest=self._seen.highest(index.registry))
        self._seen.take(self._put(following))
        return following

    def _put(self, index: Index) -> Sighting:
        data = index.dump()
        write_whole(self.folder / INDEX, b64encode(self._key.sign(data)) + b"\n" + data)
        return Sighting(index.registry, index.serial, sha256(data).hexdigest(), self.folder)

    def _keep_gate(self, result: Mapping[str, Any]) -> str:
        data = json.dumps(result, sort_keys=True, indent=1, default=str).encode()
        digest = sha256(data).hexdigest()
        folder = self.folder / GATES
        folder.mkdir(exist_ok=True)
        write_whole(folder / f"{digest}.json", data)
        return digest


def _check_gate(gate: Mapping[str, Any], name: str, version: str) -> None:
    """Raises ConfigurationError where *gate* does not open a stage for *version*."""
    results = gate.get("results") or ()
    if gate.get("passed") is not True or not all(result.get("passed") is True for result in results):
        raise ConfigurationError(f"{name} {version} did not pass its gate; it stays where it is")
    if not results:
        raise ConfigurationError(f"{name} {version}: a gate that asks nothing opens no stage")
    if gate.get("version") != version:
        # Somebody added a candidate while the gate ran on the one before it.
        raise ConfigurationError(
            f"{name} {version} is not the version that the gate was run on: run it again"
        )
