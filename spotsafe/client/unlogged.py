"""The HTTP library's debug log, kept shut: :mod:`spotsafe.core.unlogged`, which detectors use too."""

from spotsafe.core.unlogged import install, unlogged

__all__ = ("install", "unlogged")
