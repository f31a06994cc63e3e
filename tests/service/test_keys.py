"""Keys: hashed, scoped, compared in constant time, revoked without a restart."""

from __future__ import annotations

import os
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from spotsafe.core.errors import ConfigurationError
from spotsafe.service import app as app_module
from spotsafe.service.keys import SCOPES, KeyRing, add_key, hashed, new_key

OPEN = {"/healthz", "/readyz", "/openapi.json", "/docs"}
NEEDED = {
    ("POST", "/v1/detect"): "detect",
    ("POST", "/v1/moderations"): "detect",
    ("POST", "/v1/events"): "events",
    ("POST", "/v1/feedback"): "events",
    ("GET", "/v1/holds/{decision_id}"): "events",
    ("GET", "/v1/holds"): "admin",
    ("POST", "/v1/holds/{decision_id}"): "admin",
    ("GET", "/v1/adoption"): "admin",
    ("GET", "/v1/shadow"): "admin",
    ("GET", "/v1/banks"): "admin",
    ("POST", "/v1/banks/{bank}"): "admin",
    ("DELETE", "/v1/banks/entries/{entry_id}"): "admin",
    ("POST", "/v1/jobs"): "detect",
    ("GET", "/v1/jobs/{job_id}"): "detect",
    ("GET", "/v1/jobs"): "admin",
    ("POST", "/v1/jobs/{job_id}"): "admin",
    ("PUT", "/v1/jobs/{job_id}/parts/{position}"): "detect",
    ("GET", "/"): "admin",
    ("GET", "/v1/labels"): None,
    ("GET", "/v1/policies/bundle"): None,
    ("GET", "/metrics"): None,
}


def bearer(key: str) -> dict[str, str]:
    return {"authorization": f"Bearer {key}"}


@pytest.mark.parametrize("route", [(m, p) for m, p, _ in app_module.ROUTES if p not in OPEN])
def test_every_route_needs_its_scope(
    service: Callable[..., TestClient], tmp_path: Path, route: tuple[str, str]
) -> None:
    """Without a key 401, with a key of another scope 403, with the right one neither; health is open."""
    file = tmp_path / "keys"
    keys = {scope: add_key(file, scope, [scope]) for scope in SCOPES}
    client = service(keys=KeyRing.read(file))
    method, path = route
    needed = NEEDED[route]

    def status(**headers: str) -> int:
        content = b"{}" if method == "POST" else None
        headers = {"content-type": "application/json", **headers}
        return client.request(method, path, content=content, headers=headers).status_code

    assert status() == 401
    assert status(**bearer("spot_wrong")) == 401
    for scope, key in keys.items():
        allowed = needed is None or scope in (needed, "admin")
        assert (status(**bearer(key)) not in (401, 403)) is allowed


def test_open_routes_need_no_key(service: Callable[..., TestClient], tmp_path: Path) -> None:
    """Orchestrators ask for health without a key."""
    add_key(tmp_path / "keys", "a", ["detect"])
    client = service(keys=KeyRing.read(tmp_path / "keys"))
    assert [client.get(path).status_code for path in sorted(OPEN)] == [200] * len(OPEN)


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        "Basic xx",
        "Token abc",
        "bearer  wrong",
        "Bearer \u00e4",
        "Bearer " + "x" * 9000,
    ],
)
def test_a_wrong_authorization_is_a_401_with_a_challenge(
    service: Callable[..., TestClient], tmp_path: Path, header: str
) -> None:
    """Whatever stands in the header: 401, a challenge, nothing of it in the answer."""
    add_key(tmp_path / "keys", "a", ["detect"])
    client = service(keys=KeyRing.read(tmp_path / "keys"))
    answer = client.get("/v1/labels", headers={"authorization": header.encode("utf-8")})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert "wrong" not in answer.text


def test_a_browser_gives_the_key_as_a_password(service: Callable[..., TestClient], tmp_path: Path) -> None:
    """The overview takes HTTP Basic; nothing that changes anything does."""
    key = add_key(tmp_path / "keys", "a", ["admin"])
    client = service(keys=KeyRing.read(tmp_path / "keys"))
    basic = {"authorization": "Basic " + b64encode(f"me:{key}".encode()).decode()}
    assert client.get("/", headers=basic).status_code == 200
    assert client.get("/").headers["www-authenticate"].startswith("Basic")
    assert client.get("/", headers={"authorization": "Basic !"}).status_code == 401
    assert client.get("/v1/holds", headers=basic).status_code == 401


def test_a_new_key_is_kept_as_a_hash_only(tmp_path: Path) -> None:
    """The file has mode 0600 and the hash, not the key; the key opens, with its scopes."""
    file = tmp_path / "keys"
    key = add_key(file, "shop", ["events", "detect"])
    assert file.stat().st_mode & 0o777 == 0o600
    assert key not in file.read_text()
    assert file.read_text() == f"shop detect,events sha256:{hashed(key)}\n"
    principal = KeyRing.read(file).principal(key)
    assert principal is not None
    assert principal.application == "shop"
    assert [scope for scope in SCOPES if principal.may(scope)] == ["detect", "events"]


def test_keys_are_long_and_different() -> None:
    """A key has 256 random bits and a recognisable beginning, for secret scanners."""
    keys = {new_key() for _ in range(100)}
    assert len(keys) == 100
    assert all(key.startswith("spot_") and len(key) >= 48 for key in keys)


def test_a_changed_file_counts_at_once(tmp_path: Path) -> None:
    """Without a restart an added key opens and a removed one does not; a broken file changes nothing."""
    file = tmp_path / "keys"
    first = add_key(file, "a", ["detect"])
    ring = KeyRing.read(file)
    second = add_key(file, "b", ["detect"])
    assert ring.principal(second) is not None
    file.write_text("nonsense\n")
    assert ring.principal(first) is not None
    file.write_text(f"b detect sha256:{hashed(second)}\n")
    assert ring.principal(first) is None
    assert ring.principal(second) is not None


BROKEN = {
    "two words": "a detect\n",
    "four words": "a detect sha256:" + "0" * 64 + " x\n",
    "short hash": "a detect sha256:00\n",
    "a key instead of its hash": "a detect spot_abc\n",
    "unknown scope": "a all sha256:" + "0" * 64 + "\n",
    "no scope": "a , sha256:" + "0" * 64 + "\n",
    "name": "a/b detect sha256:" + "0" * 64 + "\n",
    "empty": "# nothing\n\n",
    "not text": "\udcff",
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_refused_with_the_line(tmp_path: Path, name: str) -> None:
    """A file that cannot be read right is no reason to start open."""
    file = tmp_path / "keys"
    file.write_bytes(BROKEN[name].encode("utf-8", "surrogateescape"))
    file.chmod(0o600)
    with pytest.raises(ConfigurationError) as refused:
        KeyRing.read(file)
    assert "keys" in str(refused.value)


def test_a_file_that_others_may_write_is_refused(tmp_path: Path) -> None:
    """Who may write the file may make keys: the remedy is named."""
    file = tmp_path / "keys"
    add_key(file, "a", ["detect"])
    os.chmod(file, 0o666)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        KeyRing.read(file)


@pytest.mark.parametrize(
    ("name", "scopes"),
    [("", ["detect"]), ("a b", ["detect"]), ("a", []), ("a", ["all"]), ("x" * 65, ["detect"])],
)
def test_wrong_names_and_scopes_make_no_key(tmp_path: Path, name: str, scopes: list[str]) -> None:
    """Nothing is written for a name or scope that the file could not hold."""
    with pytest.raises(ConfigurationError):
        add_key(tmp_path / "keys", name, scopes)
    assert not (tmp_path / "keys").exists()
