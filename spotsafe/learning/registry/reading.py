"""Reading a registry: what is in which stage, its card, its files for an engine; each checked on the way."""

from __future__ import annotations

import shutil
from base64 import b64decode
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from spotsafe.core.errors import ConfigurationError
from spotsafe.core.seams import Clock
from spotsafe.learning.registry.index import Index, Model, Version, day, parse_index
from spotsafe.learning.registry.keys import signed_by
from spotsafe.learning.registry.objects import Objects, holds
from spotsafe.learning.registry.seen import Seen, Sighting

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

INDEX = "index.signed"
"""One file holds the signature (base64, the first line) and what it signs (the rest), so that no reader ever
sees one without the other."""


class RegistryReader:
    """A registry in *folder*, read with the *trusted* public keys.

    *seen* remembers the serial of the last index, over processes; an older one is refused. *least_serial* is
    for those who start without a memory each time: the serial that was current when they were deployed.
    """

    def __init__(
        self,
        folder: Path,
        trusted: Sequence[Ed25519PublicKey],
        *,
        clock: Clock,
        seen: Seen,
        least_serial: int = 0,
    ) -> None:
        self.folder = folder
        self.objects = Objects(folder)
        self._trusted = tuple(trusted)
        self._clock = clock
        self._seen = seen
        self._least = least_serial

    def index(self) -> Index:
        """The index, once its signature was found good, it has not run out, and nothing newer was seen.
        Raises ConfigurationError."""
        index, sighting = self._verified()
        if self._clock.now() >= index.expires:
            raise ConfigurationError(
                f"{self._index_path}: the index ran out on {day(index.expires)} UTC; fetch the current one, "
                "or have whoever holds its key run spotsafe models renew"
            )
        self._seen.take(sighting)
        return index

    def accept(self, serial: int, *, by: str, reason: str) -> int | None:
        """Take the index as it is, though another was seen, if *serial* is its own: after a deliberate
        restore or replacement. Returns the serial that was known before. Raises ConfigurationError."""
        if not reason.strip():
            raise ConfigurationError("say why with --reason; it is kept with what was seen")
        index, sighting = self._verified()
        if index.serial != serial:
            raise ConfigurationError(
                f"{self._index_path}: this is index {index.serial}, not {serial}; say which one you mean"
            )
        return self._seen.accept(sighting, at=self._clock.now(), by=by, reason=reason)

    def model(self, name: str) -> Model:
        """The model *name*. Raises ConfigurationError."""
        return _model(self.index(), name)

    def version(self, name: str, which: str) -> tuple[str, Version]:
        """The version *which* of a model, by its name or the stage that it is in, with its name. Raises
        ConfigurationError."""
        return find_version(self.index(), name, which)

    def card(self, name: str, which: str) -> str:
        """The model card of a version, markdown. Raises ConfigurationError."""
        found, version = self.version(name, which)
        if version.card is None:
            raise ConfigurationError(
                f"{name} {found} was added without a card; name one of its files: spotsafe models add {name} "
                "FOLDER --card FILE"
            )
        return self.objects.read(version.files[version.card]).decode("utf-8", "replace")

    def lay_out(self, name: str, which: str, folder: Path) -> Path:
        """Write the files of a version into *folder*, each checked against the index: what an engine loads.
        Raises ConfigurationError."""
        return self.objects.lay_out(self.version(name, which)[1].files, folder)

    def kept(self, name: str, which: str, folder: Path) -> Path:
        """The files of a version in a folder of their own below *folder*: those that are there where they are
        the version's, else laid out anew. Raises ConfigurationError."""
        version, entry = self.version(name, which)
        target = folder / f"{name}-{version}"
        if not holds(target, entry.files):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if target.exists():
                shutil.rmtree(target)
            try:
                self.objects.lay_out(entry.files, target)
            except ConfigurationError:
                if not holds(target, entry.files):  # else another process was quicker
                    raise
        return target

    @property
    def _index_path(self) -> Path:
        return self.folder / INDEX

    def _verified(self) -> tuple[Index, Sighting]:
        """The index, signed by a trusted key and not below the least serial; nothing else is checked yet."""
        path = self._index_path
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
                f"{path}: index {index.serial} is older than {self._least}, the least that is asked for; "
                "fetch the current one"
            )
        return index, Sighting(index.registry, index.serial, sha256(data).hexdigest(), self.folder)


def find_version(index: Index, name: str, which: str) -> tuple[str, Version]:
    """As :meth:`RegistryReader.version`, in *index*."""
    model = _model(index, name)
    stages = {stage.value: version for stage, version in model.stages.items()}
    found = stages.get(which, which)
    if found not in model.versions:
        known = ", ".join([*stages, *model.versions]) or "none"
        raise ConfigurationError(f"model {name!r} has no version or stage {which!r}; there are: {known}")
    return found, model.versions[found]


def _model(index: Index, name: str) -> Model:
    if name not in index.models:
        known = ", ".join(index.models) or "none"
        raise ConfigurationError(f"no model {name!r} here; there are: {known}")
    return index.models[name]
