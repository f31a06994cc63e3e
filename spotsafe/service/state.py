"""What the routes of one app share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from starlette.requests import Request

from spotsafe.core.faults import FaultCounter
from spotsafe.core.seams import Clock
from spotsafe.service.bodies import BodyBudget
from spotsafe.service.engine import EngineSlot
from spotsafe.service.job_worker import JobWorkers
from spotsafe.service.keys import KeyRing
from spotsafe.service.limits import Limits
from spotsafe.service.metrics import Metrics
from spotsafe.service.spool import FOLDER, Spool
from spotsafe.service.store import Store

if TYPE_CHECKING:
    from spotsafe.policy.surface import PolicySet


class Service:
    """One running service: its parts, made by the app factory and read by the routes."""

    __slots__ = (
        "banks", "budget", "clock", "engine", "faults", "jobs", "keys", "limits", "metrics", "policies",
        "probed", "registered", "spool", "store",
    )  # fmt: skip

    def __init__(
        self, store: Store, engine: EngineSlot, *, keys: KeyRing | None, clock: Clock, limits: Limits,
        faults: FaultCounter, policies: PolicySet | None, banks: Path | None = None,
    ) -> None:  # fmt: skip
        self.store = store
        self.engine = engine
        self.keys = keys
        self.clock = clock
        self.limits = limits
        self.faults = faults
        self.policies = policies
        self.banks = banks
        self.metrics = Metrics()
        self.probed: float | None = None
        # Stage in a registry of models → version of the text weights; empty where they are from elsewhere.
        self.registered: dict[str, str] = {}
        self.budget = BodyBudget(limits.buffered_bytes)
        self.spool = Spool(store.folder / FOLDER)
        self.jobs = JobWorkers(self)


def service_of(request: Request) -> Service:
    """The service that answers *request*."""
    service: Service = request.app.state.service
    return service
