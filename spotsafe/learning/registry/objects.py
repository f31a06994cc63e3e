"""Files by what is in them: a file's place is its SHA-256, so none can change and keep its name."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from spotsafe.core.errors import ConfigurationError

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
        """Keep the file's bytes; their SHA-256 in hexadecimal. Raises ConfigurationError for a pickle."""
        _refuse_pickles(path)
        digest = sha256(path)
        place = self._place(digest)
        if not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            temporary = place.with_name(f"{place.name}.{os.urandom(6).hex()}.new")
            shutil.copyfile(path, temporary)
            temporary.chmod(0o444)
            temporary.replace(place)
        return digest

    def read(self, digest: str) -> bytes:
        """The bytes of that SHA-256. Raises ConfigurationError where they are absent or others."""
        return self._checked(digest).read_bytes()

    def lay_out(self, files: Mapping[str, str], folder: Path) -> Path:
        """Write *files* (path → SHA-256) into *folder*, each checked. Raises ConfigurationError."""
        if folder.is_dir() and any(folder.iterdir()):
            raise ConfigurationError(
                f"{folder} is not empty: what lies there would mix with the version's files"
            )
        for name, digest in files.items():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(self._checked(digest), target)
        return folder

    def _checked(self, digest: str) -> Path:
        place = self._place(digest)
        if not place.is_file():
            raise ConfigurationError(f"the registry lacks the file {digest}; copy it from where it was made")
        if sha256(place) != digest:
            raise ConfigurationError(f"{place}: its bytes are not those of its name; copy it anew")
        return place

    def _place(self, digest: str) -> Path:
        if len(digest) != 64 or not set(digest) <= set("0123456789abcdef"):
            raise ConfigurationError("the index names a file by something that is no SHA-256")
        return self._root / digest[:2] / digest[2:]


def sha256(path: Path) -> str:
    """SHA-256 of a file in hexadecimal. Raises ConfigurationError where it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read ({error.strerror})") from None


def _refuse_pickles(path: Path) -> None:
    try:
        with path.open("rb") as file:
            head = file.read(2)
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read ({error.strerror})") from None
    if path.suffix.lower() in FORBIDDEN or head in _MAGIC:
        raise ConfigurationError(
            f"{path}: files that may run code are not kept; store weights as npz, safetensors or ONNX"
        )
