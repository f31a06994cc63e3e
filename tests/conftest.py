"""What holds for all tests of one process."""

from __future__ import annotations

import os

# Before NumPy is imported: test processes already keep every core busy, and one thread is the fastest for
# matrices of these sizes.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
