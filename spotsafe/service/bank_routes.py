"""``/v1/banks``: known media that the service looks for, kept by administrators. Media never come here:
entries are made from hashes, fingerprints and signatures, as lists of other organisations have them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from spotsafe.service.access import authorised
from spotsafe.service.bodies import json_body
from spotsafe.service.problems import BAD_REQUEST, INVALID, NOT_FOUND, Problem
from spotsafe.service.state import Service, service_of

if TYPE_CHECKING:
    from spotsafe.detectors.match.bank_set import BankSet

LINES = 10_000
"""Most lines of one import."""
_DEFAULTS = ("label", "source", "note")


async def listing(request: Request) -> Response:
    """The entries, oldest first, expired ones too; ``bank``, ``label`` and ``source`` choose."""
    service = service_of(request)
    principal = authorised(request, service.keys, "admin")
    query = {name: request.query_params.get(name, "") for name in ("bank", "label", "source")}
    return JSONResponse(await to_thread.run_sync(_listed, _folder(service), principal.application, query))


async def add(request: Request) -> Response:
    """Add entries to one bank: ``lines`` as of a list (bare hashes, CSV with a header, JSON lines), and what
    holds for all of them. Lines that cannot be added are named by number; the others are added."""
    service = service_of(request)
    principal = authorised(request, service.keys, "admin")
    folder, limits = _folder(service), service.limits
    async with json_body(request, limits, service.budget, most=limits.events_bytes) as body:
        wanted = _wanted(body)
        bank = request.path_params["bank"]
        done = await to_thread.run_sync(_added, folder, principal.application, bank, wanted)
    return JSONResponse(done, 201 if done["added"] else 200)


async def remove(request: Request) -> Response:
    """Remove one entry with all that it was recognised by; ``reason`` stands in the log."""
    service = service_of(request)
    principal = authorised(request, service.keys, "admin")
    entry_id, reason = request.path_params["entry_id"], request.query_params.get("reason", "")[:500]
    folder = _folder(service)
    if not await to_thread.run_sync(_removed, folder, principal.application, entry_id, reason):
        raise Problem(NOT_FOUND, "No entry with this id; GET /v1/banks lists them.")
    return Response(status_code=204)


def _folder(service: Service) -> Path:
    if service.banks is None:
        raise Problem(NOT_FOUND, "This service keeps no known media: start it with --banks DIR.")
    return service.banks


def _opened(folder: Path, actor: str) -> BankSet:
    from spotsafe.detectors.match.bank_set import BankSet

    return BankSet.open(folder, actor=actor)


def _listed(folder: Path, actor: str, query: Mapping[str, str]) -> dict[str, Any]:
    from spotsafe.detectors.match.entries import Bank

    words = [bank.value for bank in Bank]
    if query["bank"] and query["bank"] not in words:
        raise Problem(BAD_REQUEST, f"bank is one of {', '.join(words)}.")
    banks = _opened(folder, actor)
    try:
        chosen = Bank(query["bank"]) if query["bank"] else None
        entries = banks.entries(chosen, label=query["label"], source=query["source"])
        counts = {
            bank.value: {"entries": n, "stored": stored} for bank, (n, stored) in banks.counts().items()
        }
    finally:
        banks.close()
    return {"entries": [entry._asdict() for entry in entries], "banks": counts}


def _wanted(body: object) -> dict[str, Any]:
    if not isinstance(body, Mapping) or set(body) - {*_DEFAULTS, "expires", "lines"}:
        raise Problem(INVALID, "Send an object with lines, label, source, and note or expires.", pointer="")
    lines = body.get("lines")
    if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
        raise Problem(INVALID, "lines is an array of strings.", pointer="/lines")
    if not 1 <= len(lines) <= LINES:
        raise Problem(INVALID, f"Send 1 to {LINES} lines at a time.", pointer="/lines")
    for name in _DEFAULTS:
        if not isinstance(body.get(name, ""), str):
            raise Problem(INVALID, f"{name} is a string.", pointer=f"/{name}")
    expires = body.get("expires")
    if expires is not None and (isinstance(expires, bool) or not isinstance(expires, int | float)):
        raise Problem(INVALID, "expires is a Unix time in seconds.", pointer="/expires")
    return dict(body)


def _added(folder: Path, actor: str, word: str, wanted: Mapping[str, Any]) -> dict[str, Any]:
    from spotsafe.detectors.match.entries import Bank, Terms

    if word not in {bank.value for bank in Bank}:
        raise Problem(NOT_FOUND, f"The banks are {', '.join(bank.value for bank in Bank)}.")
    given = {name: str(wanted.get(name, "")) for name in _DEFAULTS}
    expires = wanted.get("expires")
    terms = Terms(**given, expires=None if expires is None else float(expires))
    banks = _opened(folder, actor)
    try:
        done = banks.import_list(wanted["lines"], Bank(word), terms)
    finally:
        banks.close()
    bad = [{"line": line.line, "problem": line.reason} for line in done.bad]
    return {"added": done.added, "known": done.known, "bad": bad}


def _removed(folder: Path, actor: str, entry_id: str, reason: str) -> bool:
    banks = _opened(folder, actor)
    try:
        return banks.remove(entry_id, reason=reason)
    finally:
        banks.close()
