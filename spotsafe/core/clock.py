"""The clock of the machine, behind the seam."""

from __future__ import annotations

import time


class SystemClock:
    """Wall clock and monotonic clock of this machine."""

    __slots__ = ()
    now = staticmethod(time.time)
    monotonic = staticmethod(time.monotonic)
