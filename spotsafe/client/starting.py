"""Starting, forking and closing: the half of a client that decides when anything exists at all."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from functools import partial
from random import Random
from threading import RLock

from spotsafe.client import registry
from spotsafe.client.checks import Checks
from spotsafe.client.hold_store import hold_store
from spotsafe.client.holding import Holding
from spotsafe.client.http import Exchange
from spotsafe.client.lifecycle import watch
from spotsafe.client.options import Options
from spotsafe.client.plans import Plan
from spotsafe.client.reach import Reach
from spotsafe.client.reporting import Reporting
from spotsafe.client.runtime import Runtime
from spotsafe.client.setup import Equipment, checked_privacy, equip, unsupported, warn_unsupported
from spotsafe.client.sources import Source, warm
from spotsafe.core.errors import ConfigurationError, ManifestError, SpotsafeError
from spotsafe.core.faults import contained
from spotsafe.core.ids import uuid7
from spotsafe.core.seams import Clock
from spotsafe.policy.kill import KillSwitch, parse_switches
from spotsafe.policy.load import builtin, load
from spotsafe.policy.surface import PolicySet, SurfacePolicy
from spotsafe.telemetry.events import SurfaceEntry

NEW, READY, BROKEN, CLOSED = "new", "ready", "broken", "closed"

MOST_SURFACES = 10_000
"""Plans kept; a product that invents surface names at run time must not fill the memory with them."""

_log = logging.getLogger("spotsafe.client")


class Starting(Checks):
    """A client's life: new, then ready or broken, in the end closed. Constructing does nothing."""

    def __init__(self, options: Options, environ: Mapping[str, str], clock: Clock, random: Random) -> None:
        self._options = options
        self._environ = environ
        self._clock = clock
        self._monotonic = clock.monotonic
        self._random = random
        self._mint = partial(_new_id, clock, random)  # made once, since each decision takes it along
        self._key = options.tenant_key
        self._faults = registry.faults
        self._nobody = False
        self._kills: tuple[KillSwitch, ...] = ()
        self._plans: dict[str, Plan] = {}
        self.policies: dict[str, SurfacePolicy] = {}  # those resolved so far, open to guarded calls
        self._declared: dict[str, None] = {}
        self._starting = RLock()
        self._state = NEW
        self._set: PolicySet | None = None
        self._exchange: Exchange | None = None
        self._equipment: Equipment | None = None
        self._reporting: Reporting | None = None
        self._holding: Holding | None = None
        self._reach: Reach | None = None
        self._broken_starts = 0

    # ── start ───────────────────────────────────────────────────────────────────────────────────

    def start(self) -> None:
        """Read the manifests, load the detectors, open the outbox. Optional, but deploys call it: it
        raises ManifestError and ConfigurationError where a lazy start would hold everything instead.
        Idempotent and thread-safe; a start that failed can be tried again, a closed client started anew."""
        if self._nobody:
            raise ConfigurationError(_NOBODY)
        with self._starting:
            if self._state != READY:
                self._assemble(asking=True)
            # Here and not on a thread: a server that forks its workers next must not copy a load that is
            # half done, with its locks held. An outage is no time to read model files either.
            self._warm()
            self._state = READY

    def _warm(self) -> None:
        if self._equipment is not None:
            for source in (self._equipment.primary, self._equipment.fallback):
                warm(source, self._kinds())

    def _kinds(self) -> tuple[str, ...]:
        """The kinds of parts that the manifests declare, and text."""
        policies = self._set.surfaces.values() if self._set is not None else ()
        declared = (part.kind for policy in policies for part in policy.content.values())
        return tuple(dict.fromkeys(("text", *declared)))

    def _ensure_started(self) -> None:
        """Start within a guarded call: what is broken holds, and never raises into a request."""
        if self._state != NEW:
            return
        with self._starting:
            if self._state != NEW:
                return
            failed = self._started_lazily()
            if failed is None:
                self._state = READY
                self._started_beside()
                return
            if self._faults.loud:
                raise ConfigurationError(failed)
            self._broken_starts += 1
            self._set = builtin()
            self._runtime = self._new_runtime()
            self._state = BROKEN
            _log.error("every surface is held, status unchecked: %s", failed)

    def _started_beside(self) -> None:
        """What ``start()`` does besides, off the request that started the client."""
        equipment, reach = self._equipment, self._reach
        if equipment is not None and not equipment.primary.ready:
            _log.warning(
                "the first check loads the models, which takes seconds: call client.start() when the "
                "process starts, before it takes traffic"
            )
        elif equipment is not None and equipment.fallback is not None and not equipment.fallback.ready:
            self._runtime.background.submit(partial(warm, equipment.fallback, self._kinds()))
        if reach is not None:
            self._runtime.background.submit(reach.ask)

    def _started_lazily(self) -> str | None:
        """None, or why the start failed: a kind and a remedy."""
        if self._nobody:
            return _NOBODY
        failed = "an internal fault; client.stats()['internal_faults'] names the place"
        with contained("client.start", self._faults):
            try:
                self._assemble()
                return None
            except SpotsafeError as error:
                if self._faults.loud:
                    raise
                failed = f"{_named(error)} at the start; client.start() raises it with its remedy"
        return failed

    def _assemble(self, *, asking: bool = False) -> None:
        """Put everything together; *asking* the service for its reach."""
        options = self._options
        switches = parse_switches(self._environ.get("SPOTSAFE_MODE", ""))
        self._kills = tuple(dict.fromkeys((*switches, *self._kills)))
        if self._reporting is None or self._state == CLOSED:
            self._connect()
        now = self._clock.now()
        given = bool(options.manifests or options.waivers)
        policies = load(options.manifests, waivers=options.waivers, now=now) if given else builtin()
        for warning in policies.warnings:
            _log.warning("%s", warning)
        equipment = equip(options, self._exchange, self._faults)
        checked_privacy(policies, equipment)
        self._learn_reach(equipment.primary, asking=asking)
        warn_unsupported(policies, equipment)
        store = hold_store(options, policies, self._clock)
        if self._reporting is not None:
            self._reporting.start()
        self._set, self._equipment = policies, equipment
        self.policies, self._plans = {}, {}
        self._holding = Holding(self._exchange, store, clock=self._clock, key=self._key, faults=self._faults)
        self._runtime = self._new_runtime()
        for switch in self._kills:
            _log.warning("kill switch: %s", switch)
        watch(self)

    def _learn_reach(self, primary: Source, *, asking: bool) -> None:
        self._reach = None
        options = self._options
        if not primary.remote or self._exchange is None or options.service is None:
            return
        reach = self._reach = Reach(primary, self._exchange, options.service, options.outbox)
        reach.recall()
        if asking:
            with contained("client.reach", self._faults):
                reach.ask()
        if reach.path is not None:
            primary.learnt = lambda: self._runtime.background.submit(reach.keep)

    def _connect(self) -> None:
        """The parts that do not depend on manifests, so that a broken start can still be reported."""
        options = self._options
        if options.service is not None:
            self._exchange = Exchange(
                options.service,
                options.api_key,
                monotonic=self._clock.monotonic,
                transport=options.transport,
            )
        if options.telemetry:
            self._reporting = Reporting(
                options,
                self._environ,
                exchange=self._exchange,
                clock=self._clock,
                faults=self._faults,
                surfaces=lambda: tuple(self._surface_entries()),
                switches=lambda: [str(switch) for switch in self._kills],
            )

    def _new_runtime(self) -> Runtime:
        return Runtime(
            cache_items=self._options.cache_items,
            cache_bytes=self._options.cache_bytes,
            clock=self._clock,
            random=self._random,
            faults=self._faults,
            reporting=self._reporting,
        )

    # ── policies and plans ──────────────────────────────────────────────────────────────────────

    def policy(self, surface: str) -> SurfacePolicy:
        """The policy of *surface*: the manifest's, the floor where there is none, everything held where
        the manifests cannot be read. Starts lazily."""
        found = self.policies.get(surface)
        return found if found is not None else self._resolved(surface)

    def _resolved(self, surface: str) -> SurfacePolicy:
        self._ensure_started()
        policies = self._set if self._set is not None else builtin()
        if self._state == BROKEN:
            found = policies.broken(surface)
        else:
            declared = policies.surface(surface)
            found = declared if declared is not None else policies.floor(surface)
            if declared is None:
                _log.warning("surface %s has no manifest: baseline/floor guards it", surface)
        if len(self.policies) < MOST_SURFACES:
            self.policies[surface] = found
        return found

    def _planned(self, policy: SurfacePolicy) -> Plan:
        plan = self._plans.get(policy.name)
        if plan is not None and plan.policy is policy:
            return plan
        self._ensure_started()
        primary, fallback = self._equipment.sources(policy) if self._equipment else (None, None)
        with self._starting:
            plan = self._plans.get(policy.name)
            if plan is None or plan.policy is not policy:
                plan = Plan(policy, primary, fallback, self._key)
                if len(self._plans) < MOST_SURFACES:
                    self._plans[policy.name] = plan
            return plan

    def declare(self, surface: str) -> None:
        """Say that the code of this process guards *surface*. No I/O."""
        self._declared.setdefault(surface)

    def _switched(self, switches: tuple[KillSwitch, ...]) -> None:
        """Put *switches* in force: logged, and reported to the platform."""
        before, self._kills = self._kills, switches
        for switch in switches:
            if switch not in before:
                _log.warning("kill switch: %s", switch)
        for switch in before:
            if switch not in switches:
                _log.warning("kill switch lifted: %s", switch)
        if self._reporting is not None:
            self._reporting.register()

    def _surface_entries(self) -> Iterator[SurfaceEntry]:
        """What this process registers: surfaces of manifests and of code."""
        policies = self._set if self._set is not None else builtin()
        for policy in policies.surfaces.values():
            waivers = [w for w in policies.waivers if w.surface == policy.name]
            source = self._equipment.sources(policy)[0] if self._equipment else None
            yield SurfaceEntry(
                policy.name,
                policy.team,
                declared=True,
                decorated=policy.name in self._declared,
                mode=policy.mode.value,
                waivers=[{"rule": w.rule, "ends": w.ends, "owner": w.owner} for w in waivers],
                unsupported=unsupported(policy, source),
            )
        for name in tuple(self._declared):
            if policies.surface(name) is None:
                yield SurfaceEntry(name, declared=False, decorated=True)

    # ── fork and end ────────────────────────────────────────────────────────────────────────────

    def _after_fork(self) -> None:
        """In a forked child: fresh locks, caches, threads and connections; policies and models stay."""
        self._starting = RLock()
        self._random.seed()
        self._plans = {}
        if self._exchange is not None:
            self._exchange.after_fork()
        if self._equipment is not None:
            self._equipment.after_fork()
        if self._holding is not None:
            self._holding.store.after_fork()
        if self._state != NEW:
            self._runtime = self._new_runtime()

    def flush(self, timeout: float = 2.0) -> bool:
        """Wait until events are delivered (or kept in the outbox file) and background checks are done, at
        most *timeout* seconds; whether that was reached."""
        if self._state == NEW:
            return True
        end = self._clock.monotonic() + timeout
        done = self._runtime.background.drain(timeout)
        left = max(0.0, end - self._clock.monotonic())
        return (self._reporting is None or self._reporting.flush(left)) and done

    def close(self, timeout: float = 2.0) -> bool:
        """Flush, then let go of threads and connections, at most *timeout* seconds. Idempotent. A closed
        client answers by its cache and its local engine; what it cannot check, it holds."""
        with self._starting:
            if self._state in (NEW, CLOSED):
                return True
            end = self._clock.monotonic() + timeout
            done = self._runtime.background.drain(timeout)
            self._runtime.close()
            if self._reporting is not None:
                done = self._reporting.close(max(0.0, end - self._clock.monotonic())) and done
            if self._exchange is not None:
                self._exchange.close()
            self._state = CLOSED
            return done


_NOBODY = "this process configured no client; call spotsafe.configure(Client(…)) when it starts"


def _named(error: SpotsafeError) -> str:
    """The kind of *error* and, of faults in manifests, how many and where the first is."""
    kind = type(error).__name__
    if not isinstance(error, ManifestError) or not error.faults:
        return kind
    first, count = error.faults[0], len(error.faults)
    return f"{kind} ({count} fault{'' if count == 1 else 's'}, the first at {first.file}:{first.line})"


def _new_id(clock: Clock, random: Random) -> str:
    return uuid7(int(clock.now() * 1000), random)
