"""What was seen of registries, kept on disk: the highest serial of each, and which registry stands where.

An old index is signed as well as the current one, so a signature alone does not tell that it was put back
(a *rollback attack*; The Update Framework's specification, "Detailed client workflow", has clients keep the
version that they saw and refuse lower ones). The first look at a registry is taken on trust; a deployment
that starts without a memory each time gives the least serial itself.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import Field, ValidationError

from spotsafe.core.errors import ConfigurationError
from spotsafe.learning.registry.index import Strict
from spotsafe.learning.registry.whole import write_whole

PATH_VARIABLE = "SPOTSAFE_REGISTRY_STATE"
"""Environment variable that names the file."""


class Sighting(NamedTuple):
    """One index as it was found: the *registry* that it says it is of, its *serial*, the SHA-256 of what was
    signed (*digest*), and *place*, the registry's folder."""

    registry: str
    serial: int
    digest: str
    place: Path


class _Registry(Strict):
    """*serial* and *digest* of the last index taken; *highest* serial ever seen, which is more only after
    somebody accepted a lower one."""

    serial: int
    digest: str
    highest: int


class _Acceptance(Strict):
    """Somebody accepted an index that would have been refused."""

    at: float
    by: str
    reason: str
    place: str
    registry: str
    serial: int
    instead_of: int | None


class _State(Strict):
    format: Literal[1] = 1
    registries: dict[str, _Registry] = Field(default_factory=dict)
    places: dict[str, str] = Field(default_factory=dict)
    accepted: tuple[_Acceptance, ...] = ()


class Seen:
    """The memory in the file *path*, made with the first sighting. Safe for threads and processes: what any
    of them saw, all know."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def highest(self, registry: str) -> int:
        """The highest serial seen of *registry*; 0 for none. Raises ConfigurationError."""
        known = self._read().registries.get(registry)
        return 0 if known is None else known.highest

    def take(self, found: Sighting) -> None:
        """Remember *found*. Raises ConfigurationError, and remembers nothing, where it goes back behind what
        was seen, or is of another registry than the one seen in its place."""
        state = self._read()
        if _with(state, found) == state:
            return  # so that a file that is shipped with a deployment may be read-only
        with self._changing() as state:
            refused = _refused(found, state)
            if refused is None:
                write_whole(self.path, _dumped(_with(state, found)), 0o600)
        if refused is not None:
            raise ConfigurationError(f"{refused}. {_remedy(found, self.path)}")

    def accept(self, found: Sighting, *, at: float, by: str, reason: str) -> int | None:
        """Take *found* whatever was seen, and keep who said so; the serial that was known in its place."""
        with self._changing() as state:
            before = state.registries.get(state.places.get(_place(found), found.registry))
            instead_of = None if before is None else before.serial
            note = _Acceptance(
                at=at, by=by, reason=reason, place=_place(found), registry=found.registry,
                serial=found.serial, instead_of=instead_of,
            )  # fmt: skip
            changed = _with(state, found).model_copy(update={"accepted": (*state.accepted, note)})
            write_whole(self.path, _dumped(changed), 0o600)
        return instead_of

    @contextmanager
    def _changing(self) -> Iterator[_State]:
        import fcntl

        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with open(self.path.with_name(f"{self.path.name}.lock"), "w", encoding="ascii") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield self._read()
        except OSError as error:
            raise ConfigurationError(
                f"{self.path}: what was seen of registries cannot be kept ({error.strerror}), and without it "
                f"an old index would pass for the current one; name a writable file with --state or "
                f"${PATH_VARIABLE}"
            ) from None

    def _read(self) -> _State:
        try:
            return _State.model_validate_json(self.path.read_bytes())
        except FileNotFoundError:
            return _State()
        except OSError as error:
            problem = error.strerror
        except ValidationError:
            problem = "it is damaged"
        raise ConfigurationError(
            f"{self.path}: what was seen of registries cannot be read ({problem}); restore it from a copy. "
            "Deleting it forgets what was seen: then compare the serial that spotsafe models list shows with "
            "the one of whoever holds the key"
        )


def default_path(environ: Mapping[str, str]) -> Path:
    """The user's file: ``$SPOTSAFE_REGISTRY_STATE``, else ``spotsafe/registries.json`` in the folder for
    state of the XDG Base Directory Specification. Raises ConfigurationError where there is no home."""
    if environ.get(PATH_VARIABLE):
        return Path(environ[PATH_VARIABLE])
    state = environ.get("XDG_STATE_HOME", "")
    if os.path.isabs(state):  # the specification: relative ones are to be ignored
        return Path(state, "spotsafe", "registries.json")
    home = environ.get("HOME", "")
    if not os.path.isabs(home):
        raise ConfigurationError(
            f"there is no home folder to keep what was seen of registries; name a file with --state or "
            f"${PATH_VARIABLE}"
        )
    return Path(home, ".local", "state", "spotsafe", "registries.json")


def _refused(found: Sighting, state: _State) -> str | None:
    """Why *found* is not taken; None where it is."""
    known, at_place = state.registries.get(found.registry), state.places.get(_place(found))
    if at_place is not None and at_place != found.registry:
        return f"{found.place}: this is another registry than the one that was seen here before"
    if known is None:
        return None
    if found.serial < known.serial:
        return f"{found.place}: index {found.serial} is older than {known.serial}, which was seen before"
    if found.serial == known.serial and found.digest != known.digest:
        return f"{found.place}: two different indexes with the number {found.serial} were signed"
    return None


def _remedy(found: Sighting, path: Path) -> str:
    return (
        "Fetch the current registry. Where it was restored from a copy, or replaced, on purpose: spotsafe "
        f"models accept --serial {found.serial} --reason WHY takes it (kept in {path}); who holds its key "
        "does that and then runs spotsafe models renew, which numbers it above all that was seen, so that "
        "nobody else has to accept anything"
    )


def _with(state: _State, found: Sighting) -> _State:
    known = state.registries.get(found.registry)
    highest = max(found.serial, 0 if known is None else known.highest)
    entry = _Registry(serial=found.serial, digest=found.digest, highest=highest)
    return state.model_copy(
        update={
            "registries": {**state.registries, found.registry: entry},
            "places": {**state.places, _place(found): found.registry},
        }
    )


def _dumped(state: _State) -> bytes:
    return state.model_dump_json(indent=1).encode()


def _place(found: Sighting) -> str:
    return str(found.place.resolve())
