"""What holds for all tests of one process."""

from __future__ import annotations

import os

# Before NumPy is imported. Some tests fork; two threads that then use OpenBLAS's own threads at the same time
# have been seen to wait for each other for ever. One thread is also the fastest for matrices of these sizes.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
