"""Keys of the registry: Ed25519 (RFC 8032), one private key that signs the index, public ones to trust."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from spotsafe.core.errors import ConfigurationError, missing_extra

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

PUBLIC_SUFFIX = ".pub"
"""Added to the name of the private key's file."""


def make_key(path: Path) -> Path:
    """Write a new private key to *path* (mode 0600, PEM) and its public key beside it; the public one's path.
    Raises ConfigurationError where *path* exists or cannot be written."""
    try:
        from cryptography.hazmat.primitives import serialization as form
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    except ImportError:
        raise missing_extra("eval", "the registry of models") from None
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption())
    public = key.public_key().public_bytes(form.Encoding.PEM, form.PublicFormat.SubjectPublicKeyInfo)
    public_path = path.with_name(path.name + PUBLIC_SUFFIX)
    try:
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(private)
        public_path.write_bytes(public)
    except OSError as error:
        raise ConfigurationError(f"{path}: the key cannot be written ({error.strerror})") from None
    return public_path


def private_key(path: Path) -> Ed25519PrivateKey:
    """The private key in a PEM file. Raises ConfigurationError."""
    try:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key
    except ImportError:
        raise missing_extra("eval", "the registry of models") from None
    try:
        key = load_pem_private_key(path.read_bytes(), None)
    except OSError as error:
        raise ConfigurationError(
            f"{path}: no key can be read ({error.strerror}); spotsafe models init makes one"
        ) from None
    except (ValueError, TypeError):
        pass
    else:
        if isinstance(key, Ed25519PrivateKey):
            return key
    raise ConfigurationError(f"{path}: not an Ed25519 private key; spotsafe models init makes one")


def public_key(path: Path) -> Ed25519PublicKey:
    """The public key in a PEM file. Raises ConfigurationError."""
    try:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
        from cryptography.hazmat.primitives.serialization import load_pem_public_key
    except ImportError:
        raise missing_extra("eval", "the registry of models") from None
    try:
        key = load_pem_public_key(path.read_bytes())
    except OSError as error:
        raise ConfigurationError(f"{path}: no key can be read ({error.strerror})") from None
    except ValueError:
        pass
    else:
        if isinstance(key, Ed25519PublicKey):
            return key
    raise ConfigurationError(f"{path}: not an Ed25519 public key; give the file that ends in .pub")


def signed_by(data: bytes, signature: bytes, trusted: Sequence[Ed25519PublicKey]) -> bool:
    """Whether one of the *trusted* keys made *signature* over *data*."""
    from cryptography.exceptions import InvalidSignature

    for key in trusted:
        try:
            key.verify(signature, data)
        except InvalidSignature:
            continue
        return True
    return False
