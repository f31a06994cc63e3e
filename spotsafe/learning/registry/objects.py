"""Files by what is in them: a file's place is its SHA-256, so none can change and keep its name."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from spotsafe.core.errors import ConfigurationError
from spotsafe.learning.registry.whole import write_whole

FOLDER = "objects"

FORBIDDEN = (".pkl", ".pickle", ".pt", ".pth", ".joblib", ".bin", ".ckpt", ".dill", ".sav")
"""Endings of files that run code when they are read, or may. Weights are npz, safetensors or ONNX."""

_MAGIC = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
"""What pickles of protocols 2 to 5 begin with (PEP 307, PEP 3154, PEP 574)."""


class Objects:
    """The files of one registry, under *root*."""

    def __init__(self, root: Path) -> None:
        self._root = root / FOLDER

    def put(self, path: Path) -> str:
        """Keep the file's bytes; their SHA-256 in hexadecimal. Raises ConfigurationError for a pickle. A kept
        file that was damaged is mended."""
        data = _readable(path)
        _refuse_pickles(path, data)
        digest = hashlib.sha256(data).hexdigest()
        place = self._place(digest)
        if not place.exists() or place.read_bytes() != data:
            place.parent.mkdir(parents=True, exist_ok=True)
            write_whole(place, data, 0o444)
        return digest

    def read(self, digest: str) -> bytes:
        """The bytes of that SHA-256. Raises ConfigurationError where they are absent or others."""
        place = self._place(digest)
        if not place.exists():
            raise ConfigurationError(f"the registry lacks the file {digest}; copy it from where it was made")
        data = _readable(place)
        # What is checked is what is handed out: the file may be written to between two reads of it.
        if hashlib.sha256(data).hexdigest() != digest:
            raise ConfigurationError(f"{place}: its bytes are not those of its name; copy it anew")
        return data

    def check(self, files: Mapping[str, str]) -> None:
        """Raises ConfigurationError where one of *files* (path → SHA-256) is absent or another."""
        for digest in files.values():
            self.read(digest)

    def lay_out(self, files: Mapping[str, str], folder: Path) -> Path:
        """Write *files* (path → SHA-256) into *folder*, each checked; all of them or none. Raises
        ConfigurationError."""
        if folder.is_dir() and any(folder.iterdir()):
            raise ConfigurationError(
                f"{folder} is not empty: what lies there would mix with the version's files"
            )
        folder.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as scratch:
            made = Path(scratch) / "made"
            made.mkdir()
            for name, digest in files.items():
                target = made / name
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(self.read(digest))
            try:
                made.rename(folder)
            except OSError as error:
                raise ConfigurationError(
                    f"{folder} cannot be put in place ({error.strerror}); name another folder"
                ) from None
        return folder

    def _place(self, digest: str) -> Path:
        if len(digest) != 64 or not set(digest) <= set("0123456789abcdef"):
            raise ConfigurationError("the index names a file by something that is no SHA-256")
        return self._root / digest[:2] / digest[2:]


def holds(folder: Path, files: Mapping[str, str]) -> bool:
    """Whether *folder* holds *files* (path → SHA-256), as they are and nothing else."""
    found = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    return found.keys() == files.keys() and all(
        hashlib.sha256(_readable(path)).hexdigest() == files[name] for name, path in found.items()
    )


def _readable(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read ({error.strerror})") from None


def _refuse_pickles(path: Path, data: bytes) -> None:
    if path.suffix.lower() in FORBIDDEN or data[:2] in _MAGIC:
        raise ConfigurationError(
            f"{path}: files that may run code are not kept; store weights as npz, safetensors or ONNX"
        )
