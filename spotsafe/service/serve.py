"""``spotsafe serve``: the service as a process of its own."""

from __future__ import annotations

import ipaddress
import logging
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TextIO

from starlette.applications import Starlette

from spotsafe.core.errors import ConfigurationError
from spotsafe.core.seams import Detector
from spotsafe.service.app import create_app
from spotsafe.service.background import NotifyingServer, bound, server_config, url_of
from spotsafe.service.engine import Load
from spotsafe.service.keys import KeyRing
from spotsafe.service.store import Store

if TYPE_CHECKING:
    from spotsafe.policy.surface import PolicySet

_log = logging.getLogger("spotsafe.service")

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")
"""Host names answered to without keys: a web page that rebinds its own name to loopback is refused."""


class Engine(NamedTuple):
    """What the local engine of a service is made of: *weights*, a folder with text weights (default: the
    shipped ones); *shadow*, a folder of others that are asked beside them and compared; *banks*, a folder of
    known media. *registered*: stage in a registry → version of the text weights that come from there."""

    shadow: Path | None = None
    banks: Path | None = None
    weights: Path | None = None
    registered: Mapping[str, str] | None = None


def serve(
    host: str, port: int, data_dir: Path, api_keys: Path | None, *, manifests: Path | None = None,
    detector: Detector | Load | None = None, made_of: Engine | None = None, out: TextIO | None = None,
) -> int:  # fmt: skip
    """Serve until SIGTERM or SIGINT; returns the exit code (0 ended, 1 the detector did not load).

    Writes one line ``spotsafe service listening on URL`` to *out* (standard output) once the socket
    listens. Without *api_keys* only loopback hosts are taken. Raises ConfigurationError and
    ManifestError before anything listens.
    """
    app = service_app(host, data_dir, api_keys, manifests=manifests, detector=detector, made_of=made_of)
    listening = bound(host, port)
    server = NotifyingServer(server_config(app))
    failures: list[str] = []

    def give_up(reason: str) -> None:
        failures.append(reason)
        server.should_exit = True

    app.state.service.engine.on_failure = give_up
    _announce(server, url_of(listening), out or sys.stdout)
    try:
        server.run(sockets=[listening])
    except KeyboardInterrupt:
        # uvicorn raises the signal again once everything was closed in order.
        pass
    finally:
        listening.close()
    return 1 if failures or not server.started else 0


def service_app(
    host: str, data_dir: Path, api_keys: Path | None, *, manifests: Path | None = None,
    detector: Detector | Load | None = None, made_of: Engine | None = None,
) -> Starlette:  # fmt: skip
    """The app that :func:`serve` runs, checked: host against keys, manifests, data directory."""
    keys = KeyRing.read(api_keys) if api_keys is not None else None
    if keys is None and not is_loopback(host):
        raise ConfigurationError(
            f"without keys the service listens on loopback only, not on {host}: "
            "make a key with 'spotsafe serve --api-keys FILE --new-key NAME' and start with --api-keys FILE"
        )
    policies = _policies(manifests, time.time())
    hosts = None if keys is not None else (*LOOPBACK_NAMES, host)
    loading = partial(local_engine, _kinds(policies), made_of)
    banks = None if made_of is None else made_of.banks
    app = create_app(
        Store.open(data_dir), detector or loading, keys=keys, policies=policies, hosts=hosts, banks=banks
    )
    if made_of is not None and made_of.registered:
        app.state.service.registered = dict(made_of.registered)
        stages = ", ".join(f"{stage} {version}" for stage, version in made_of.registered.items())
        _log.info("registry: text %s", stages)
    return app


def _kinds(policies: PolicySet | None) -> tuple[str, ...]:
    """The kinds of parts for which models are loaded at the start: text, and what the manifests declare."""
    surfaces = policies.surfaces.values() if policies is not None else ()
    return tuple(dict.fromkeys(("text", *(p.kind for s in surfaces for p in s.content.values()))))


def is_loopback(host: str) -> bool:
    """Whether *host* names this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def local_engine(kinds: Iterable[str] = ("text",), made_of: Engine | None = None) -> Detector:
    """The local engine, loaded for parts of *kinds*. ConfigurationError with the install command where an
    extra is missing."""
    from spotsafe.detectors.local import engine

    made_of = made_of or Engine()
    found = engine(weights=made_of.weights, banks=made_of.banks)
    found.warm_for(kinds)
    if made_of.shadow is None:
        return found
    from spotsafe.detectors.shadow import ShadowDetector

    beside = engine(weights=made_of.shadow)
    beside.warm()
    return ShadowDetector(found, beside)


def _policies(manifests: Path | None, now: float) -> PolicySet | None:
    if manifests is None:
        return None
    from spotsafe.policy.load import load

    return load(manifests, now=now)


def _announce(server: NotifyingServer, url: str, out: TextIO) -> None:
    def wait_and_tell() -> None:
        server.listening.wait()
        if server.started:
            out.write(f"spotsafe service listening on {url}\n")
            out.flush()

    threading.Thread(target=wait_and_tell, name="spotsafe-announce", daemon=True).start()


def log_to(stream: TextIO, level: int = logging.INFO) -> Callable[[], None]:
    """Write the service's log lines to *stream*, and uvicorn's in the service's name (its logger is called
    ``uvicorn.error`` whatever the level); returns what undoes it."""
    handlers = {}
    for name, shown in (("spotsafe", "%(name)s"), ("uvicorn", "spotsafe.service")):
        handler = handlers[logging.getLogger(name)] = logging.StreamHandler(stream)
        handler.setFormatter(logging.Formatter(f"%(asctime)s %(levelname)s {shown} %(message)s"))
    for logger, handler in handlers.items():
        logger.addHandler(handler)
        logger.setLevel(level)

    def undo() -> None:
        for logger, handler in handlers.items():
            logger.removeHandler(handler)

    return undo
