"""Safety by default for what users write, upload, say and ask.

The façade is lazy (PEP 562): importing the package loads nothing else, and each name is resolved
on first use, so a process pays only for what it touches.

>>> import spotsafe
>>> spotsafe.Text.__module__
'spotsafe.core.content'
"""

from __future__ import annotations

from spotsafe._version import __version__

TYPE_CHECKING = False  # as type checkers read it; importing ``typing`` would load two dozen modules
if TYPE_CHECKING:
    from typing import Any

    from spotsafe.client.client import Client as Client
    from spotsafe.client.registry import configure as configure
    from spotsafe.client.registry import current as current
    from spotsafe.core.content import Audio as Audio
    from spotsafe.core.content import Content as Content
    from spotsafe.core.content import Image as Image
    from spotsafe.core.content import Text as Text
    from spotsafe.core.content import Video as Video
    from spotsafe.core.decision import Decision as Decision
    from spotsafe.core.decision import Disposition as Disposition
    from spotsafe.core.decision import Effect as Effect
    from spotsafe.core.decision import Status as Status
    from spotsafe.core.errors import ConfigurationError as ConfigurationError
    from spotsafe.core.errors import DetectorError as DetectorError
    from spotsafe.core.errors import ManifestError as ManifestError
    from spotsafe.core.errors import SpotsafeError as SpotsafeError
    from spotsafe.core.errors import SurfaceBlocked as SurfaceBlocked
    from spotsafe.core.errors import SurfaceHeld as SurfaceHeld
    from spotsafe.surface.decorator import safe_surface as safe_surface

_HOMES = {
    "Client": "spotsafe.client.client",
    "configure": "spotsafe.client.registry",
    "current": "spotsafe.client.registry",
    "Text": "spotsafe.core.content",
    "Image": "spotsafe.core.content",
    "Audio": "spotsafe.core.content",
    "Video": "spotsafe.core.content",
    "Content": "spotsafe.core.content",
    "Decision": "spotsafe.core.decision",
    "Disposition": "spotsafe.core.decision",
    "Effect": "spotsafe.core.decision",
    "Status": "spotsafe.core.decision",
    "SpotsafeError": "spotsafe.core.errors",
    "SurfaceBlocked": "spotsafe.core.errors",
    "SurfaceHeld": "spotsafe.core.errors",
    "ManifestError": "spotsafe.core.errors",
    "ConfigurationError": "spotsafe.core.errors",
    "DetectorError": "spotsafe.core.errors",
    "safe_surface": "spotsafe.surface.decorator",
}

__all__ = ["__version__", *sorted(_HOMES)]  # noqa: PLE0604 - one source for the public names


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'spotsafe' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return list(__all__)
