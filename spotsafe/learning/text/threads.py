"""One thread for linear algebra, so that sums are added in one order."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def one_thread() -> Iterator[None]:
    """Limit every loaded BLAS and OpenMP library to one thread while the block runs."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1):
        yield
