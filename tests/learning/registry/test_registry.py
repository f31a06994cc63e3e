"""The registry of models: what is in it cannot change unseen, and only a gate opens a stage."""

from __future__ import annotations

import json
import pickle
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from spotsafe.core.errors import ConfigurationError
from spotsafe.learning.registry.index import VALID_FOR, Stage
from spotsafe.learning.registry.keys import make_key, private_key, public_key
from spotsafe.learning.registry.objects import Objects
from spotsafe.learning.registry.reading import INDEX, RegistryReader
from spotsafe.learning.registry.registry import Registry
from spotsafe.learning.registry.seen import Seen
from spotsafe.testing import ManualClock


def passed(version: str) -> dict[str, Any]:
    """The result of a gate that *version* passed."""
    return {"passed": True, "results": [{"id": "ranks", "passed": True}], "version": version}


@pytest.fixture
def key(tmp_path: Path) -> Path:
    make_key(tmp_path / "key.pem")
    return tmp_path / "key.pem"


@pytest.fixture
def registry(tmp_path: Path, key: Path) -> Registry:
    return Registry.create(
        tmp_path / "models", private_key(key), clock=ManualClock(), seen=Seen(tmp_path / "seen.json")
    )


@pytest.fixture
def reader(registry: Registry, key: Path, tmp_path: Path) -> RegistryReader:
    """Another machine, with the public key alone and a memory of its own."""
    trusted = [public_key(key.with_name("key.pem.pub"))]
    return RegistryReader(registry.folder, trusted, clock=ManualClock(), seen=Seen(tmp_path / "other.json"))


def files(folder: Path, **content: bytes) -> dict[str, Path]:
    folder.mkdir(parents=True, exist_ok=True)
    found = {}
    for name, data in content.items():
        path = folder / f"{name}.npz"
        path.write_bytes(data)
        found[f"{name}.npz"] = path
    return found


def test_a_version_is_laid_out_as_it_was_added(
    registry: Registry, reader: RegistryReader, tmp_path: Path
) -> None:
    """Byte for byte, with its card, from a registry opened with the public key alone."""
    card = tmp_path / "card.md"
    card.write_text("# A model")
    given = {**files(tmp_path / "m", a=b"1", b=b"2"), "docs/card.md": card}
    version = registry.add("text", given, by="ann", card="docs/card.md", recipe="spotsafe train text")
    folder = reader.lay_out("text", version, tmp_path / "out")
    assert {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()} == {
        "a.npz": b"1", "b.npz": b"2", "docs/card.md": b"# A model",
    }  # fmt: skip
    assert reader.card("text", "candidate") == "# A model"


def test_the_same_files_are_the_same_version(registry: Registry, tmp_path: Path) -> None:
    """Added twice, nothing changes."""
    first = registry.add("text", files(tmp_path / "m", a=b"1"), by="ann")
    serial = registry.index().serial
    assert registry.add("text", files(tmp_path / "n", a=b"1"), by="bob") == first
    assert registry.index().serial == serial


def test_stages_are_opened_by_a_gate_and_left_by_a_rollback(registry: Registry, tmp_path: Path) -> None:
    """Every move is in the history, with the gate's result kept beside it."""
    one = registry.add("text", files(tmp_path / "m", a=b"1"), by="ann")
    registry.promote("text", one, Stage.LIVE, gate=passed(one), by="ann")
    two = registry.add("text", files(tmp_path / "n", a=b"2"), by="bob")
    with pytest.raises(ConfigurationError, match="did not pass"):
        registry.promote("text", two, Stage.LIVE, gate={**passed(two), "passed": False}, by="bob")
    assert registry.version("text", "live")[0] == one
    assert registry.promote("text", "candidate", Stage.LIVE, gate=passed(two), by="bob") == one
    with pytest.raises(ConfigurationError, match="say why"):
        registry.roll_back("text", Stage.LIVE, by="eve", reason=" ")
    assert registry.roll_back("text", Stage.LIVE, by="eve", reason="false alarms") == one
    moves = [(m.action, m.version, m.by) for m in registry.model("text").history]
    assert moves == [
        ("added", one, "ann"), ("promoted", one, "ann"), ("added", two, "bob"), ("promoted", two, "bob"),
        ("rolled back", one, "eve"),
    ]  # fmt: skip
    gate = registry.model("text").history[3].gate
    assert json.loads((registry.folder / "gates" / f"{gate}.json").read_text())["passed"] is True
    with pytest.raises(ConfigurationError, match="had no version in live before"):
        registry.roll_back("text", Stage.LIVE, by="eve", reason="again")


def test_a_gate_opens_a_stage_for_the_version_that_it_was_run_on(registry: Registry, tmp_path: Path) -> None:
    """A candidate that was added while the gate ran does not ride on its result."""
    one = registry.add("text", files(tmp_path / "m", a=b"1"), by="ann")
    registry.add("text", files(tmp_path / "n", a=b"2"), by="bob")
    with pytest.raises(ConfigurationError, match="run it again"):
        registry.promote("text", "candidate", Stage.LIVE, gate=passed(one), by="ann")


@pytest.mark.parametrize(
    ("gate", "says"),
    [
        ({}, "did not pass"),
        ({"passed": "yes"}, "did not pass"),
        ({"passed": True}, "asks nothing"),
        ({"passed": True, "results": []}, "asks nothing"),
        ({"passed": True, "results": [{"passed": False}]}, "did not pass"),
        ({"passed": True, "results": [{"passed": True}]}, "run it again"),
    ],
)
def test_no_stage_is_opened_by_less_than_a_passed_gate(
    gate: dict[str, Any], says: str, registry: Registry, tmp_path: Path
) -> None:
    """One that is empty, undecided, contradicts itself or names no version leaves everything as it is."""
    version = registry.add("text", files(tmp_path / "m", a=b"1"), by="ann")
    serial = registry.index().serial
    with pytest.raises(ConfigurationError, match=says):
        registry.promote("text", version, Stage.LIVE, gate=gate, by="ann")
    assert registry.index().serial == serial


def test_a_stage_is_never_given_to_a_version_whose_files_are_gone(registry: Registry, tmp_path: Path) -> None:
    """Neither by a promotion nor by a rollback: an engine that cannot load would be worse."""
    one = registry.add("text", files(tmp_path / "m", a=b"1"), by="ann")
    registry.promote("text", one, Stage.LIVE, gate=passed(one), by="ann")
    two = registry.add("text", files(tmp_path / "n", a=b"2"), by="ann")
    registry.promote("text", two, Stage.LIVE, gate=passed(two), by="ann")
    digest = registry.version("text", one)[1].files["a.npz"]
    (registry.folder / "objects" / digest[:2] / digest[2:]).unlink()
    with pytest.raises(ConfigurationError, match="lacks the file"):
        registry.roll_back("text", Stage.LIVE, by="ann", reason="alarms")
    with pytest.raises(ConfigurationError, match="lacks the file"):
        registry.promote("text", one, Stage.SHADOW, gate=passed(one), by="ann")
    assert registry.version("text", "live")[0] == two
    assert registry.add("text", files(tmp_path / "m", a=b"1"), by="ann") == one  # added again, it is mended
    assert registry.roll_back("text", Stage.LIVE, by="ann", reason="alarms") == one


def test_a_card_can_be_named_later(registry: Registry, tmp_path: Path) -> None:
    """As the error says that asks for it."""
    given = files(tmp_path / "m", a=b"1")
    given["model-card.md"] = tmp_path / "card.md"
    given["model-card.md"].write_text("# A model")
    version = registry.add("text", given, by="ann")
    with pytest.raises(ConfigurationError, match="--card FILE"):
        registry.card("text", version)
    assert registry.add("text", given, by="ann", card="model-card.md") == version
    assert registry.card("text", version) == "# A model"
    assert [move.action for move in registry.model("text").history] == ["added"]


def test_an_index_runs_out_and_is_renewed_by_its_key(
    registry: Registry, reader: RegistryReader, key: Path, tmp_path: Path
) -> None:
    """Readers refuse it from that moment on; whoever holds the key makes it good again."""
    clock = ManualClock()
    clock.advance(VALID_FOR)
    late = [public_key(key.with_name("key.pem.pub"))]
    reader = RegistryReader(registry.folder, late, clock=clock, seen=Seen(tmp_path / "other.json"))
    with pytest.raises(ConfigurationError, match=r"ran out on .* renew"):
        reader.index()
    held = Registry(registry.folder, private_key(key), clock=clock, seen=Seen(tmp_path / "seen.json"))
    assert held.renew(valid_for=60.0).serial == 2
    assert reader.index().expires == clock.now() + 60.0
    clock.advance(60.0)
    with pytest.raises(ConfigurationError, match="ran out"):
        reader.index()
    held.add("text", files(tmp_path / "m", a=b"1"), by="ann")  # any change renews it
    assert reader.index().expires == clock.now() + 60.0


def test_a_key_is_replaced_without_a_gap(registry: Registry, key: Path, tmp_path: Path) -> None:
    """Readers trust both for a while; then the old one signs nothing that they take."""
    new, both, seen = tmp_path / "new.pem", Seen(tmp_path / "both.json"), Seen(tmp_path / "seen.json")
    make_key(new)
    old_public, new_public = private_key(key).public_key(), private_key(new).public_key()
    reader = RegistryReader(registry.folder, [old_public, new_public], clock=ManualClock(), seen=both)
    assert reader.index().serial == 1
    Registry(registry.folder, private_key(new), clock=ManualClock(), seen=seen, trusted=[old_public]).renew()
    assert reader.index().serial == 2
    after = RegistryReader(registry.folder, [new_public], clock=ManualClock(), seen=both)
    assert after.index().serial == 2
    with pytest.raises(ConfigurationError, match="no trusted key"):
        registry.index()


def test_a_version_is_not_mixed_with_what_lies_there(registry: Registry, tmp_path: Path) -> None:
    """An engine would load both."""
    version = registry.add("text", files(tmp_path / "m", a=b"1"), by="ann")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "old.npz").write_bytes(b"0")
    with pytest.raises(ConfigurationError, match="is not empty"):
        registry.lay_out("text", version, tmp_path / "out")


def test_two_processes_that_start_at_once_lay_out_one_version(
    registry: Registry, reader: RegistryReader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The slower one finds what it wanted, and does not fail; a folder of other files still does."""
    version = registry.add("text", files(tmp_path / "m", a=b"1"), by="ann")
    read, put = Objects.read, [b"1"]

    def meanwhile(objects: Objects, digest: str) -> bytes:
        files(tmp_path / "kept" / f"text-{version}", a=put[0])
        return read(objects, digest)

    monkeypatch.setattr(Objects, "read", meanwhile)
    folder = reader.kept("text", version, tmp_path / "kept")
    assert [path.read_bytes() for path in folder.iterdir()] == [b"1"]
    put[0] = b"2"
    (folder / "a.npz").write_bytes(b"0")
    with pytest.raises(ConfigurationError, match="cannot be put in place"):
        reader.kept("text", version, tmp_path / "kept")


def test_a_changed_index_is_refused(registry: Registry, tmp_path: Path) -> None:
    """One byte is enough; and so is a signature by somebody else."""
    registry.add("text", files(tmp_path / "m", a=b"1"), by="ann")
    path = registry.folder / INDEX
    good = path.read_bytes()
    path.write_bytes(good.replace(b'"by":"ann"', b'"by":"bob"'))
    with pytest.raises(ConfigurationError, match="no trusted key signed"):
        registry.index()
    make_key(tmp_path / "other.pem")
    body = good.partition(b"\n")[2]
    path.write_bytes(b64encode(private_key(tmp_path / "other.pem").sign(body)) + b"\n" + body)
    with pytest.raises(ConfigurationError, match="no trusted key signed"):
        registry.index()
    path.write_bytes(good)
    assert registry.index().serial == 2


@given(st.binary(max_size=200))
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_no_index_breaks_its_reader(
    registry: Registry, reader: RegistryReader, key: Path, data: bytes
) -> None:
    """Whatever stands in the file, signed or not, is refused as an index."""
    for whole in (data, b64encode(private_key(key).sign(data)) + b"\n" + data):
        (registry.folder / INDEX).write_bytes(whole)
        with pytest.raises(ConfigurationError, match=INDEX):
            reader.index()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("serial", "1.5"),
        ("expires", "Infinity"),
        ("expires", "1e300"),
        ("registry", '"../x"'),
        ("valid_for", "-1"),
    ],
)
def test_a_signed_index_of_nonsense_is_refused(
    registry: Registry, reader: RegistryReader, key: Path, field: str, value: str
) -> None:
    """A key that signs does not make it right."""
    document = {name: json.dumps(entry) for name, entry in json.loads(registry.index().dump()).items()}
    changed = {**document, field: value}
    data = ("{" + ",".join(f'"{name}":{entry}' for name, entry in changed.items()) + "}").encode()
    (registry.folder / INDEX).write_bytes(b64encode(private_key(key).sign(data)) + b"\n" + data)
    with pytest.raises(ConfigurationError, match=f"{INDEX}: {field}"):
        reader.index()


def test_a_changed_file_is_refused(registry: Registry, tmp_path: Path) -> None:
    """Before an engine ever sees it."""
    version = registry.add("text", files(tmp_path / "m", a=b"1"), by="ann")
    stored = next(path for path in (registry.folder / "objects").rglob("*") if path.is_file())
    stored.chmod(0o600)
    stored.write_bytes(b"2")
    with pytest.raises(ConfigurationError, match="not those of its name"):
        registry.lay_out("text", version, tmp_path / "out")
    stored.unlink()
    with pytest.raises(ConfigurationError, match="lacks the file"):
        registry.lay_out("text", version, tmp_path / "out")


@pytest.mark.parametrize("name", ["weights.pkl", "weights.pt", "weights.npz"])
def test_pickles_are_not_kept(registry: Registry, tmp_path: Path, name: str) -> None:
    """By their name or by their first bytes."""
    path = tmp_path / name
    path.write_bytes(pickle.dumps({}))
    with pytest.raises(ConfigurationError, match="may run code"):
        registry.add("text", {name: path}, by="ann")


@pytest.mark.parametrize("reader", [private_key, public_key])
@pytest.mark.parametrize("content", [None, b"no key"])
def test_a_file_that_is_no_key_is_told(tmp_path: Path, reader: object, content: bytes | None) -> None:
    """With its path."""
    path = tmp_path / "k"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=str(path)):
        reader(path)  # type: ignore[operator]


def test_a_key_is_never_written_over(key: Path) -> None:
    """It signs what is out there."""
    with pytest.raises(ConfigurationError, match="cannot be written"):
        make_key(key)
    assert key.stat().st_mode & 0o777 == 0o600


class Stages(RuleBasedStateMachine):
    """Any order of additions, promotions and rollbacks, beside a plain model of it."""

    @initialize()
    def begin(self) -> None:
        import tempfile

        self.folder = Path(tempfile.mkdtemp())
        make_key(self.folder / "key.pem")
        self.registry = Registry.create(
            self.folder / "models", private_key(self.folder / "key.pem"), clock=ManualClock(),
            seen=Seen(self.folder / "seen.json"),
        )  # fmt: skip
        self.versions: list[str] = []
        self.stacks: dict[Stage, list[str]] = {Stage.SHADOW: [], Stage.LIVE: []}

    @rule(content=st.sampled_from([b"a", b"b", b"c", b"d"]))
    def add(self, content: bytes) -> None:
        version = self.registry.add("text", files(self.folder / "m", a=content), by="x")
        if version not in self.versions:
            self.versions.append(version)

    @precondition(lambda self: self.versions)
    @rule(data=st.data(), stage=st.sampled_from([Stage.SHADOW, Stage.LIVE]))
    def promote(self, data: st.DataObject, stage: Stage) -> None:
        version = data.draw(st.sampled_from(self.versions))
        self.registry.promote("text", version, stage, gate=passed(version), by="x")
        if self.stacks[stage][-1:] != [version]:
            self.stacks[stage].append(version)

    @precondition(lambda self: self.versions)
    @rule(stage=st.sampled_from([Stage.SHADOW, Stage.LIVE]))
    def roll_back(self, stage: Stage) -> None:
        stack = self.stacks[stage]
        if len(stack) < 2:
            with pytest.raises(ConfigurationError):
                self.registry.roll_back("text", stage, by="x", reason="y")
            return
        stack.pop()
        assert self.registry.roll_back("text", stage, by="x", reason="y") == stack[-1]

    @invariant()
    def stages_are_those_of_the_model(self) -> None:
        models = self.registry.index().models
        found = models["text"].stages if models else {}
        for stage, stack in self.stacks.items():
            assert found.get(stage) == (stack[-1] if stack else None)


Stages.TestCase.settings = settings(
    max_examples=10, stateful_step_count=10, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestStages = Stages.TestCase
