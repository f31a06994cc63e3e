"""Reading manifests: files or texts in, a :class:`PolicySet` or every fault at once out.

Importing this module is cheap; what it needs of YAML and pydantic is imported by the first load.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path

from spotsafe.core.errors import Fault, ManifestError
from spotsafe.policy.surface import PolicySet

SUFFIXES = (".yaml", ".yml")


def load(
    paths: Iterable[Path | str] | Path | str, *, waivers: Path | str | None = None, now: float
) -> PolicySet:
    """The policies of manifest files or folders (searched for ``*.yaml`` and ``*.yml``).

    *waivers* is the platform's own file: only there do waivers count. *now* (Unix seconds) decides
    which have ended and which are warned of. Raises ManifestError with the faults of all files.
    """
    given = [paths] if isinstance(paths, str | Path) else list(paths)
    faults: list[Fault] = []
    platform = None if waivers is None else Path(waivers)
    sources: dict[str, str | bytes] = {}
    for path in map(Path, given):
        for file in _manifest_files(path, faults):
            if platform is None or not _same(file, platform):
                _read(file, sources, faults)
    owned: dict[str, str | bytes] = {}
    if platform is not None:
        _read(platform, owned, faults)
    return _assembled(sources, owned, now, faults)


def load_text(sources: Mapping[str, str], *, waivers: str | None = None, now: float) -> PolicySet:
    """As :func:`load`, from texts by the file name that faults are to show."""
    return _assembled(sources, {} if waivers is None else {"waivers": waivers}, now, [])


@lru_cache(maxsize=1)
def builtin() -> PolicySet:
    """The shipped baselines alone: no surfaces, and the floor for every one that asks."""
    return _assembled({}, {}, 0.0, [])


def _assembled(
    sources: Mapping[str, str | bytes], platform: Mapping[str, str | bytes], now: float, faults: list[Fault]
) -> PolicySet:
    from spotsafe.policy.assemble import assemble

    policies = assemble(sources, platform, now, faults)
    if faults:
        raise ManifestError(sorted(set(faults), key=lambda fault: fault[:4]))
    return policies


def _manifest_files(path: Path, faults: list[Fault]) -> list[Path]:
    if path.is_dir():
        found = sorted(file for file in path.rglob("*") if file.suffix in SUFFIXES and file.is_file())
        if not found:
            hint = "put *.yaml files there, or write one with `spotsafe init SURFACE`"
            faults.append(Fault(str(path), 1, 1, "the folder holds no manifest", hint))
        return found
    return [path]


def _read(file: Path, sources: dict[str, str | bytes], faults: list[Fault]) -> None:
    try:
        sources[str(file)] = file.read_bytes()
    except OSError as error:
        why = "no such file" if isinstance(error, FileNotFoundError) else "cannot be read"
        faults.append(Fault(str(file), 1, 1, why, "check the path and its permissions"))


def _same(file: Path, other: Path) -> bool:
    return file.resolve() == other.resolve()
