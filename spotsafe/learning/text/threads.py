"""One thread for linear algebra, so that sums are added in one order."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module


@contextmanager
def one_thread() -> Iterator[None]:
    """Limit every loaded BLAS and OpenMP library to one thread while the block runs."""
    limits = import_module("threadpoolctl").threadpool_limits  # it has no type information
    with limits(limits=1):
        yield
