"""Media as handlers have them: bytes, paths, files and the uploads of frameworks."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import Annotated, Any

import pytest
from starlette.datastructures import Headers, UploadFile
from werkzeug.datastructures import FileStorage

import spotsafe
from spotsafe import Client, ConfigurationError, Image, SurfaceBlocked, SurfaceHeld, Text, safe_surface
from spotsafe.testing import FakeDetector, ManualClock

MANIFEST = """
spotsafe: 1
team: t
owner: t@example.com
surfaces:
  covers.upload:
    about: Covers
    direction: input
    audience: public
    content: {title: text, cover: image}
    languages: [en]
    deadline: 5s
    rules:
      - {id: bad, label: sexual.explicit, at: 0.8, then: block}
      - {id: pii, label: privacy.pii_exposure, at: 0.8, then: redact, parts: [title]}
"""
PICTURE = b"the bytes of a picture"


@pytest.fixture
def detector() -> FakeDetector:
    return FakeDetector({b"bad": {"sexual.explicit": 0.95}, "0123": {"privacy.pii_exposure": 0.9}})


@pytest.fixture(autouse=True)
def client(tmp_path: Path, detector: FakeDetector) -> Any:
    path = tmp_path / "s.yaml"
    path.write_text(MANIFEST)
    client = Client(manifests=path, detector=detector, fallback=None, telemetry=False)
    spotsafe.configure(client)
    yield client
    spotsafe.configure(None)
    client.close(1)


def on_disk(data: bytes, folder: Path) -> Path:
    path = folder / "cover.png"
    path.write_bytes(data)
    return path


SOURCES: dict[str, Callable[[bytes, Path], Any]] = {
    "bytes": lambda data, _: data,
    "bytearray": lambda data, _: bytearray(data),
    "memoryview": lambda data, _: memoryview(data),
    "part": lambda data, _: Image(data),
    "path": on_disk,
    "file in memory": lambda data, _: io.BytesIO(data),
    "open file": lambda data, folder: on_disk(data, folder).open("rb"),
    "Starlette upload": lambda data, _: UploadFile(
        io.BytesIO(data), headers=Headers({"content-type": "image/png"})
    ),
    "Werkzeug upload": lambda data, _: FileStorage(io.BytesIO(data), content_type="image/png"),
    "Django upload": lambda data, _: DjangoUpload(data),
    "spooled file in memory": lambda data, _: spooled(data, 1000),
    "spooled file on disk": lambda data, _: spooled(data),
    "spooled upload": lambda data, _: UploadFile(spooled(data)),
}


def spooled(data: bytes, memory: int = 4) -> Any:
    """*data* as a form parser leaves it, on disk beyond *memory* bytes."""
    file = SpooledTemporaryFile(max_size=memory)  # noqa: SIM115 - it is the handler's
    file.write(data)
    file.seek(0)
    return file


class DjangoUpload:
    """As Django's ``UploadedFile``: a file with another inside, whose methods it lends; it has chunks, and a
    size that it states itself."""

    content_type = "image/png"

    def __init__(self, data: bytes) -> None:
        self.file = io.BytesIO(data)
        self.size = len(data)
        self.read, self.seek, self.tell = self.file.read, self.file.seek, self.file.tell


def everything(source: Any) -> bytes:
    """What a handler reads from it."""
    if isinstance(source, Image):
        return source.data
    if isinstance(source, Path):
        return source.read_bytes()
    file = getattr(source, "file", source)
    return file.read() if hasattr(file, "read") else bytes(file)


@pytest.mark.parametrize("kind", SOURCES)
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_handler_gets_what_it_was_given_once_it_was_checked(
    kind: str, tmp_path: Path, detector: FakeDetector
) -> None:
    """Every way to hold a picture reaches the detector with all of its bytes, and the handler can read it
    from its beginning, also where a text beside it was redacted."""

    @safe_surface("covers.upload")
    def upload(title: Annotated[str, Text], cover: Annotated[object, Image]) -> tuple[str, bytes]:
        return title, everything(cover)

    title, read = upload("call 0123", SOURCES[kind](PICTURE, tmp_path))
    assert read == PICTURE
    assert "0123" not in title
    assert [part.data for part in detector.requests[0].content if part.kind == "image"] == [PICTURE]
    with pytest.raises(SurfaceBlocked):
        upload("a title", SOURCES[kind](b"bad " + PICTURE, tmp_path))


def test_an_upload_states_its_media_type(detector: FakeDetector, client: Client, tmp_path: Path) -> None:
    """The detector is told, and decides itself what to believe."""
    client.check("covers.upload", title="t", cover=SOURCES["Werkzeug upload"](PICTURE, tmp_path))
    assert detector.requests[0].content.parts[1].mime == "image/png"


@pytest.mark.parametrize("kind", SOURCES)
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_client_takes_the_same(kind: str, client: Client, detector: FakeDetector, tmp_path: Path) -> None:
    """``client.check(cover=…)``."""
    client.check("covers.upload", title="t", cover=SOURCES[kind](PICTURE, tmp_path))
    assert detector.requests[0].content.parts[1].data == PICTURE


def test_a_form_field_that_states_no_media_type_has_none(detector: FakeDetector, client: Client) -> None:
    """An empty one is no media type."""
    client.check("covers.upload", title="t", cover=FileStorage(io.BytesIO(PICTURE)))
    assert detector.requests[0].content.parts[1].mime is None


def test_a_file_is_read_whole_and_stands_where_it_stood(detector: FakeDetector, client: Client) -> None:
    """A handler that goes back to its beginning sees nothing that was not checked."""
    file = io.BytesIO(b"head" + PICTURE)
    file.seek(4)
    client.check("covers.upload", title="t", cover=file)
    assert detector.requests[0].content.parts[1].data == b"head" + PICTURE
    assert file.tell() == 4


class Slow(io.BytesIO):
    """A raw stream: it gives what is there, which may be less than was asked for."""

    def read(self, size: int | None = -1) -> bytes:
        return super().read(3 if size is None or size < 0 else min(size, 3))


def test_a_stream_that_gives_little_at_a_time_is_checked_whole(
    detector: FakeDetector, client: Client
) -> None:
    """What follows its first bytes is no cleaner than they are."""
    client.check("covers.upload", title="t", cover=Slow(PICTURE))
    assert detector.requests[0].content.parts[1].data == PICTURE


class Pipe(io.RawIOBase):
    """A stream that cannot go back."""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return 0


def closed(file: Any = None) -> Any:
    file = file or io.BytesIO()
    file.close()
    return file


class Awaited:
    """As aiofiles and anyio give them."""

    async def read(self, size: int = -1) -> bytes:
        return PICTURE

    async def seek(self, place: int) -> int:
        return place

    async def tell(self) -> int:
        return 0


class Halting(io.BytesIO):
    """A file on a disk that fails."""

    def read(self, size: int | None = -1) -> bytes:
        raise OSError(5, "Input/output error", "canary-7f3a")


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (Pipe(), "cannot be read twice"),
        (closed(), "cannot be read twice"),
        (closed(spooled(PICTURE)), "cannot be read twice"),
        (UploadFile(closed()), "cannot be read twice"),
        (Halting(PICTURE), "cannot be read"),
        (Awaited(), "has to be awaited"),
        (io.StringIO("canary-7f3a"), "opened as text"),
        (Path("/no/such/file"), "cannot be read (No such file or directory)"),
        ("cover.png", "image"),
        (7, "is int"),
    ],
)
def test_what_cannot_be_read_is_an_error_with_the_remedy(client: Client, value: object, problem: str) -> None:
    """And not with the content."""
    with pytest.raises(ConfigurationError) as caught:
        client.check("covers.upload", title="t", cover=value)
    assert problem in str(caught.value)
    assert "canary" not in str(caught.value)


def test_uploads_of_frameworks_can_be_annotated(detector: FakeDetector) -> None:
    """The class may be the framework's."""

    @safe_surface("covers.upload")
    async def upload(title: Annotated[str, Text], cover: Annotated[UploadFile, Image]) -> bytes:
        return await cover.read()

    import asyncio

    assert asyncio.run(upload("t", UploadFile(io.BytesIO(PICTURE)))) == PICTURE


class Watched(FakeDetector):
    """Keeps the seconds that each check was given."""

    def __init__(self) -> None:
        super().__init__()
        self.given: list[float | None] = []

    def detect(self, requests: Any, *, timeout: float | None = None) -> Any:
        self.given.append(timeout)
        return super().detect(requests, timeout=timeout)


def test_a_cover_without_a_manifest_gets_seconds_and_words_that_fit_a_failure() -> None:
    """The kinds that a handler annotates set the default deadline; what nobody could look at is held with the
    general notice, never with that of a rule which did not fire."""
    watched = Watched()
    client = Client(detector=watched, fallback=None, telemetry=False, clock=ManualClock())
    spotsafe.configure(client)

    @safe_surface("unlinked.cover")
    def publish(cover: Annotated[bytes, Image]) -> int:
        return len(cover)

    @safe_surface("unlinked.title")
    def name(title: Annotated[str, Text]) -> int:
        return len(title)

    assert publish(PICTURE) == len(PICTURE)
    assert name("a title") == 7
    assert watched.given == [3.0, 0.15]
    watched.fail("timeout")
    with pytest.raises(SurfaceHeld) as caught:
        publish(b"another picture")
    assert caught.value.notice == client.policy("unlinked.cover").notice("held", "en")
    client.close(1)
