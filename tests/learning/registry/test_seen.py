"""What was seen of a registry: no older index is taken for the current one, by any process, unless somebody
says so."""

from __future__ import annotations

import json
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from spotsafe.core.errors import ConfigurationError
from spotsafe.learning.registry.index import Stage
from spotsafe.learning.registry.keys import make_key, private_key
from spotsafe.learning.registry.reading import INDEX, RegistryReader
from spotsafe.learning.registry.registry import Registry
from spotsafe.learning.registry.seen import Seen, Sighting, default_path
from spotsafe.testing import ManualClock


class World:
    """A registry in *folder*, whoever holds its key, and a reader elsewhere; every call is a new process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.models = folder / "models"
        make_key(folder / "key.pem")
        self.key = private_key(folder / "key.pem")
        self.memory = folder / "reader.json"
        Registry.create(self.models, self.key, clock=ManualClock(), seen=Seen(folder / "holder.json"))

    def holder(self) -> Registry:
        """Whoever holds the key."""
        return Registry(self.models, self.key, clock=ManualClock(), seen=Seen(self.folder / "holder.json"))

    def reader(self, *, least_serial: int = 0) -> RegistryReader:
        """Somebody else, with the public key alone."""
        return RegistryReader(
            self.models, [self.key.public_key()], clock=ManualClock(), seen=Seen(self.memory),
            least_serial=least_serial,
        )  # fmt: skip

    def add(self, content: bytes) -> str:
        """A version of that content."""
        path = self.folder / "a.npz"
        path.write_bytes(content)
        return self.holder().add("text", {"a.npz": path}, by="ann")


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_a_process_that_begins_knows_what_others_saw(world: World) -> None:
    """The older index is signed well, and is refused, with the way out; nothing of it is taken."""
    old = (world.models / INDEX).read_bytes()
    world.add(b"1")
    assert world.reader().index().serial == 2
    (world.models / INDEX).write_bytes(old)
    for _ in range(2):
        with pytest.raises(ConfigurationError, match=r"index 1 is older than 2.* models accept --serial 1 "):
            world.reader().index()


def test_an_older_index_is_accepted_by_saying_which_and_why(world: World, tmp_path: Path) -> None:
    """The number has to be that of the index that is there, and who said so is kept."""
    old = (world.models / INDEX).read_bytes()
    world.add(b"1")
    world.reader().index()
    (world.models / INDEX).write_bytes(old)
    with pytest.raises(ConfigurationError, match="say why"):
        world.reader().accept(1, by="ann", reason=" ")
    with pytest.raises(ConfigurationError, match="this is index 1, not 2"):
        world.reader().accept(2, by="ann", reason="restored")
    assert world.reader().accept(1, by="ann", reason="restored") == 2
    assert world.reader().index().serial == 1
    (note,) = json.loads(world.memory.read_text())["accepted"]
    assert (note["by"], note["reason"], note["serial"], note["instead_of"]) == ("ann", "restored", 1, 2)


def test_after_a_restore_nobody_but_the_holder_has_to_accept(world: World) -> None:
    """What is renewed then is numbered above all that was seen."""
    world.add(b"1")
    old = (world.models / INDEX).read_bytes()
    world.add(b"2")
    world.reader().index()
    (world.models / INDEX).write_bytes(old)
    with pytest.raises(ConfigurationError, match="is older than 3"):
        world.holder().renew()  # a lower index is not signed anew by accident either
    world.holder().accept(2, by="ann", reason="restored")
    assert world.holder().renew().serial == 4
    assert world.reader().index().serial == 4


def test_another_registry_in_its_place_is_refused(world: World, tmp_path: Path) -> None:
    """Though the same key signed it, and its number is higher."""
    world.reader().index()
    other = tmp_path / "other"
    staging = Registry.create(other, world.key, clock=ManualClock(), seen=Seen(tmp_path / "holder.json"))
    staging.renew()
    (world.models / INDEX).write_bytes((other / INDEX).read_bytes())
    with pytest.raises(ConfigurationError, match="another registry than the one that was seen here"):
        world.reader().index()
    assert world.reader().accept(2, by="ann", reason="moved") == 1
    assert world.reader().index().serial == 2


def test_two_indexes_with_one_number_are_not_both_taken(world: World) -> None:
    """As when a copy was restored where nothing was remembered, and changed in another way."""
    old = (world.models / INDEX).read_bytes()
    world.add(b"1")
    world.reader().index()
    (world.models / INDEX).write_bytes(old)
    (world.folder / "holder.json").unlink()
    world.add(b"2")
    with pytest.raises(ConfigurationError, match="two different indexes with the number 2"):
        world.reader().index()


def test_without_a_memory_the_least_serial_is_asked_for(world: World) -> None:
    """For machines that begin anew each time."""
    assert world.reader(least_serial=1).index().serial == 1
    with pytest.raises(ConfigurationError, match=r"older than 2, the least that is asked for"):
        world.reader(least_serial=2).index()


@pytest.mark.parametrize("damage", [b"", b"{", b'{"format": 2}', b'{"registries": {"x": {"serial": "1"}}}'])
def test_a_damaged_memory_is_not_an_empty_one(world: World, damage: bytes) -> None:
    """It is told, with what forgetting would mean."""
    world.reader().index()
    world.memory.write_bytes(damage)
    with pytest.raises(ConfigurationError, match=r"reader.json: .*it is damaged.*restore it"):
        world.reader().index()


def test_what_cannot_be_remembered_is_not_read(world: World, tmp_path: Path) -> None:
    """The error names the file and how to name another."""
    (tmp_path / "file").write_text("")
    world.memory = tmp_path / "file" / "seen.json"
    with pytest.raises(ConfigurationError, match=r"seen.json: .*(--state|cannot be read)"):
        world.reader().index()


def test_a_memory_that_is_shipped_need_not_be_written(world: World) -> None:
    """Where it knows the index already, not even a lock is made beside it."""
    world.reader().index()
    lock = world.memory.with_name(f"{world.memory.name}.lock")
    lock.unlink()
    assert world.reader().index().serial == 1
    assert not lock.exists()
    assert world.memory.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("environ", "path"),
    [
        ({"SPOTSAFE_REGISTRY_STATE": "/s/x.json", "XDG_STATE_HOME": "/xdg"}, "/s/x.json"),
        ({"XDG_STATE_HOME": "/xdg", "HOME": "/home/ann"}, "/xdg/spotsafe/registries.json"),
        ({"XDG_STATE_HOME": "relative", "HOME": "/h"}, "/h/.local/state/spotsafe/registries.json"),
        ({"HOME": "/h"}, "/h/.local/state/spotsafe/registries.json"),
    ],
)
def test_the_memory_lies_where_state_lies(environ: dict[str, str], path: str) -> None:
    """As the XDG Base Directory Specification has it."""
    assert default_path(environ) == Path(path)


def test_without_a_home_the_file_has_to_be_named() -> None:
    """Nothing is remembered in a place that nobody would look for."""
    with pytest.raises(ConfigurationError, match=r"--state or \$SPOTSAFE_REGISTRY_STATE"):
        default_path({})


def test_sightings_at_the_same_time_do_not_undo_each_other(tmp_path: Path) -> None:
    """Of many readers at once the highest number stays, whoever wrote last."""

    def take(serial: int) -> int | None:
        found = Sighting("a" * 32, serial, sha256(b"%d" % serial).hexdigest(), tmp_path)
        try:
            Seen(tmp_path / "seen.json").take(found)
        except ConfigurationError:
            return None
        return serial

    serials = [(n * 37) % 61 for n in range(61)]
    with ThreadPoolExecutor(8) as threads:
        taken = list(threads.map(take, serials))
    assert Seen(tmp_path / "seen.json").highest("a" * 32) == 60
    assert 60 in taken


class Histories(RuleBasedStateMachine):
    """Changes, copies, restores and losses of memory in any order; one reader that looks after every step and
    one that looks now and then, which only ever go forward."""

    @initialize()
    def begin(self) -> None:
        self.world = World(Path(tempfile.mkdtemp()))
        self.copies: list[bytes] = []
        self.taken: dict[str, list[tuple[int, bytes]]] = {"always": [], "rarely": []}
        """What each reader took since it last accepted something: serials, and what was signed."""

    def teardown(self) -> None:
        shutil.rmtree(self.world.folder)

    def current(self) -> bytes:
        return (self.world.models / INDEX).read_bytes()

    @rule(content=st.sampled_from([b"a", b"b", b"c"]))
    def add(self, content: bytes) -> None:
        try:
            self.world.add(content)
        except ConfigurationError as error:
            assert "models accept" in str(error)

    @rule(stage=st.sampled_from([Stage.SHADOW, Stage.LIVE]))
    def promote(self, stage: Stage) -> None:
        try:
            version, _ = self.world.holder().version("text", "candidate")
            gate = {"passed": True, "results": [{"passed": True}], "version": version}
            self.world.holder().promote("text", version, stage, gate=gate, by="ann")
        except ConfigurationError as error:
            assert "no model 'text'" in str(error) or "models accept" in str(error)

    @rule(stage=st.sampled_from([Stage.SHADOW, Stage.LIVE]))
    def roll_back(self, stage: Stage) -> None:
        try:
            self.world.holder().roll_back("text", stage, by="ann", reason="alarms")
        except ConfigurationError as error:
            words = ("no model 'text'", "no version", "models accept")
            assert any(word in str(error) for word in words)

    @rule()
    def copy(self) -> None:
        self.copies.append(self.current())

    @precondition(lambda self: self.copies)
    @rule(data=st.data())
    def restore(self, data: st.DataObject) -> None:
        (self.world.models / INDEX).write_bytes(data.draw(st.sampled_from(self.copies)))

    @rule()
    def holder_forgets(self) -> None:
        (self.world.folder / "holder.json").unlink(missing_ok=True)

    @rule()
    def holder_accepts_and_renews(self) -> None:
        holder = self.world.holder()
        serial = json.loads(self.current().partition(b"\n")[2])["serial"]
        holder.accept(serial, by="ann", reason="restored")
        assert holder.renew().serial > serial

    def reader(self, name: str) -> RegistryReader:
        self.world.memory = self.world.folder / f"{name}.json"
        return self.world.reader()

    @rule(name=st.sampled_from(["always", "rarely"]))
    def reader_accepts(self, name: str) -> None:
        serial = json.loads(self.current().partition(b"\n")[2])["serial"]
        self.reader(name).accept(serial, by="bob", reason="told so")
        self.taken[name] = [(serial, self.current())]

    @rule()
    def read_rarely(self) -> None:
        self.read("rarely")

    @invariant()
    def read_always(self) -> None:
        self.read("always")

    def read(self, name: str) -> None:
        found, taken = self.current(), self.taken[name]
        serial = json.loads(found.partition(b"\n")[2])["serial"]
        highest = max((number for number, _ in taken), default=0)
        try:
            assert self.reader(name).index().serial == serial
        except ConfigurationError:
            assert serial <= highest  # what is newer is never refused
            assert (serial, found) != taken[-1]
        else:
            assert serial >= highest  # what is older is never taken
            assert all(other == found for number, other in taken if number == serial)
            taken.append((serial, found))


Histories.TestCase.settings = settings(
    max_examples=25, stateful_step_count=20, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestHistories = Histories.TestCase
