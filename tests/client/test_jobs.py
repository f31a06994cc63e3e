"""Audio and video: held at once with a receipt, checked as a job, resumed by what the job found."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from spotsafe.client.client import Client
from spotsafe.client.jobs import MOST_REPORTS, LocalJobs, RemoteJobs
from spotsafe.client.sending import Sending
from spotsafe.client.workers import Workers
from spotsafe.core.content import Audio, Content, Text
from spotsafe.core.decision import Decision, Disposition
from spotsafe.core.errors import ConfigurationError, SurfaceBlocked, SurfaceHeld
from spotsafe.core.faults import FaultCounter
from spotsafe.core.jobs import JobReport, JobState
from spotsafe.core.receipts import HoldReason, HoldState, Receipt
from spotsafe.core.seams import DetectRequest
from spotsafe.core.signals import Signal, Signals, TimeRange
from spotsafe.service.app import create_app
from spotsafe.service.background import running
from spotsafe.service.store import Store
from spotsafe.testing import FakeDetector, FakeService

MANIFEST = """
spotsafe: 1
team: podcasts
owner: t@example.com
surfaces:
  episodes.publish:
    about: Episodes before publication
    direction: input
    audience: public
    content: {title: text, episode: audio}
    context: {trusted: bool}
    languages: [en]
    deadline: async
    rules:
      - {id: spam, label: integrity.spam, at: 0.8, then: block}
      - {id: threat, label: violence.threat, at: 0.8, then: hold}
      - {id: names, label: privacy.pii_exposure, at: 0.8, then: redact, parts: [title]}
      - {id: tone, label: tone.toxic, at: 0.8, then: hold, when: "!trusted"}
"""
SCRIPT = {
    b"vile": {"integrity.spam": 0.95},
    b"threat": {"violence.threat": 0.9},
    b"rude": {"tone.toxic": 0.9},
    "ann@example.com": {"privacy.pii_exposure": 0.99},
}
KEY = "a tenant key of some length"


class Place:
    """Where content is checked: *made* gives clients, *settle* waits until what was ordered is over."""

    def __init__(self, made: Callable[..., Client], settle: Callable[[Client, Receipt], None]) -> None:
        self.made = made
        self.settle = settle


@pytest.fixture
def manifest(tmp_path: Path) -> Callable[[], Path]:
    def write() -> Path:
        path = tmp_path / "s.yaml"
        path.write_text(MANIFEST)
        return path

    return write


@pytest.fixture(params=["here", "fake service", "real service"])
def place(request: pytest.FixtureRequest, tmp_path: Path, manifest: Callable[..., Path]) -> Iterator[Place]:
    """The three places in which a product may have its recordings checked; all promises hold in each."""
    with ExitStack() as stack:
        detector = FakeDetector(SCRIPT)
        options: dict[str, Any] = {"detector": detector}
        if request.param == "fake service":
            fake = stack.enter_context(FakeService(default=0.0))
            for said, scores in SCRIPT.items():
                for label, score in scores.items():
                    text = said.decode() if isinstance(said, bytes) else said
                    evidence = [] if isinstance(said, bytes) else [(0, len(said))]
                    _say(fake, label, score, text, evidence)
            options = {"service": fake.url}
        elif request.param == "real service":
            app = create_app(Store.open(tmp_path / "data"), detector)
            options = {"service": stack.enter_context(running(app))}

        def made(**more: Any) -> Client:
            client = Client(
                **{
                    "manifests": manifest(),
                    "fallback": None,
                    "tenant_key": KEY,
                    "environ": {},
                    **options,
                    **more,
                },
                telemetry=False,
            )
            client.start()
            stack.callback(client.close, 1.0)
            return client

        def settle(client: Client, receipt: Receipt) -> None:
            while client._job(receipt, client.policy(receipt.surface), None) is None:
                pass

        yield Place(made, settle)


def _say(fake: FakeService, label: str, score: float, text: str, places: list[tuple[int, int]]) -> None:
    from spotsafe.core.signals import Span

    fake.say(label, score, containing=text, evidence=[Span(*place) for place in places])


def held(client: Client, recording: bytes, title: str = "An episode") -> tuple[Decision, Receipt]:
    decision = client.check("episodes.publish", title=title, episode=Audio(recording))
    assert (decision.disposition, decision.queued) == (Disposition.HOLD, True)
    return decision, client.hold(decision, client.policy("episodes.publish"))


def resumed(
    client: Client, receipt: Receipt, recording: bytes, title: str = "An episode", **context: object
) -> Decision:
    return client.resume(receipt, title=title, episode=Audio(recording), context=context)


def test_a_clean_recording_is_held_then_released_by_its_check(place: Place) -> None:
    """No person has to look at it, and the handler may run."""
    client = place.made()
    _, receipt = held(client, b"a talk about birds")
    assert receipt.reason is HoldReason.OUTAGE
    place.settle(client, receipt)
    said = client.verdict(receipt)
    assert (said.state, said.note) == (HoldState.PENDING, None) or said.state is HoldState.RELEASED
    decision = resumed(client, receipt, b"a talk about birds", trusted=True)
    assert decision.disposition is Disposition.ALLOW
    assert decision.status.word == "checked"


@pytest.mark.parametrize(
    ("recording", "state", "error"),
    [(b"vile talk", HoldState.REJECTED, SurfaceBlocked), (b"a threat", HoldState.PENDING, SurfaceHeld)],
)
def test_what_the_check_found_decides(
    place: Place, recording: bytes, state: HoldState, error: type[Exception]
) -> None:
    """A block ends the draft; a hold by a rule is now for a person, with a receipt that says so."""
    client = place.made()
    _, receipt = held(client, recording)
    place.settle(client, receipt)
    assert client.verdict(receipt).state is state
    with pytest.raises(error) as caught:
        resumed(client, receipt, recording, trusted=True)
    if isinstance(caught.value, SurfaceHeld):
        assert caught.value.receipt.reason is HoldReason.POLICY


def test_rules_that_read_context_are_decided_where_it_is_given(place: Place) -> None:
    """Asked for without context, such a rule is missing it and nothing is released; resumed with it, the rule
    is evaluated."""
    client = place.made()
    _, receipt = held(client, b"rude words")
    place.settle(client, receipt)
    assert client.verdict(receipt).state is HoldState.PENDING
    assert resumed(client, receipt, b"rude words", trusted=True).disposition is Disposition.ALLOW
    with pytest.raises(SurfaceHeld):
        resumed(client, receipt, b"rude words", trusted=False)


def test_texts_beside_a_recording_are_still_redacted(place: Place) -> None:
    """The recording is not heard a second time for it."""
    client = place.made()
    title = "ann@example.com talks"
    _, receipt = held(client, b"a talk", title)
    place.settle(client, receipt)
    decision = resumed(client, receipt, b"a talk", title, trusted=True)
    assert decision.disposition is Disposition.ALLOW
    assert decision.content is not None
    part = decision.content.part("title")
    assert part is not None
    assert "ann@example.com" not in str(part.data)
    assert decision.content.part("episode") == Audio(b"a talk", "episode")


def test_under_a_kill_switch_it_goes_through_and_is_heard_all_the_same(place: Place) -> None:
    """Nothing is held; what would have been is known once the job is over."""
    client = place.made(environ={"SPOTSAFE_MODE": "off@2099-01-01T00:00:00Z;drill"})
    decision = client.check("episodes.publish", title="t", episode=Audio(b"vile talk"))
    assert decision.disposition is Disposition.ALLOW
    assert client.flush(30)
    primary = client._planned(client.policy("episodes.publish")).primary
    assert primary is not None
    assert primary.jobs is not None
    report = primary.jobs.report(decision.id)
    assert report is not None
    assert report.signals is not None
    assert report.signals.score("integrity.spam") == 0.95


def test_a_recording_never_travels_within_a_request(tmp_path: Path, manifest: Callable[..., Path]) -> None:
    """Only as a job: not in the check, not in the second look at redacted text, not after a release."""
    with FakeService(default=0.0) as fake:
        _say(fake, "privacy.pii_exposure", 0.99, "ann@example.com", [(0, 15)])
        client = Client(
            manifests=manifest(), service=fake.url, fallback=None, tenant_key=KEY, environ={}, telemetry=False
        )
        client.start()
        _, receipt = held(client, b"RECORDING", "ann@example.com talks")
        while client._job(receipt, client.policy(receipt.surface), None) is None:
            pass
        resumed(client, receipt, b"RECORDING", "ann@example.com talks", trusted=True)
        fake.holds[receipt.decision_id] = {
            "decision_id": receipt.decision_id, "surface": receipt.surface, "digest": receipt.digest,
            "state": "released", "decided_at": 0.0, "note": None,
        }  # fmt: skip
        resumed(client, receipt, b"RECORDING", "ann@example.com talks", trusted=True)
        kinds = {part["type"] for body in fake.requests for item in body["items"] for part in item["parts"]}
        assert kinds == {"text"}
        assert fake.jobs.ids == [receipt.decision_id]
        client.close(1)


@pytest.fixture
def remote(manifest: Callable[..., Path]) -> Iterator[tuple[Client, FakeService]]:
    with FakeService(default=0.0) as fake:
        client = Client(
            manifests=manifest(), service=fake.url, fallback=None, tenant_key=KEY, environ={}, telemetry=False
        )
        client.start()
        yield client, fake
        client.close(1)


def test_while_the_job_is_under_way_the_receipt_stays_good(remote: tuple[Client, FakeService]) -> None:
    """Asking does not start anything twice."""
    client, fake = remote
    fake.jobs.paused = True
    decision, receipt = held(client, b"a talk")
    client.flush(10)
    assert client.verdict(receipt).state is HoldState.PENDING
    with pytest.raises(SurfaceHeld) as caught:
        resumed(client, receipt, b"a talk")
    assert caught.value.receipt == receipt
    assert fake.jobs.ids == [decision.id]
    fake.jobs.paused = False
    assert resumed(client, receipt, b"a talk", trusted=True).disposition is Disposition.ALLOW


def test_a_job_that_got_lost_is_ordered_again(remote: tuple[Client, FakeService]) -> None:
    """By whoever resumes the receipt, since only they have the content."""
    client, fake = remote
    _, receipt = held(client, b"a talk")
    client.flush(10)
    fake.jobs.forget(receipt.decision_id)
    with pytest.raises(SurfaceHeld):
        resumed(client, receipt, b"a talk")
    client.flush(10)
    assert resumed(client, receipt, b"a talk", trusted=True).disposition is Disposition.ALLOW


def test_a_job_that_was_set_aside_stays_held(remote: tuple[Client, FakeService]) -> None:
    """Nobody could check it: on_failure holds it for a person."""
    client, fake = remote
    _, receipt = held(client, b"a talk")
    client.flush(10)
    fake.jobs.spoil(receipt.decision_id)
    assert client.verdict(receipt).state is HoldState.PENDING
    with pytest.raises(SurfaceHeld):
        resumed(client, receipt, b"a talk", trusted=True)


def test_a_receipt_can_be_resumed_in_another_process(
    remote: tuple[Client, FakeService], manifest: Callable[..., Path]
) -> None:
    """The job is the service's, and its id the receipt's."""
    client, fake = remote
    _, receipt = held(client, b"a talk")
    client.flush(10)
    other = Client(
        manifests=manifest(), service=fake.url, fallback=None, tenant_key=KEY, environ={}, telemetry=False
    )
    other.start()
    token = client.token(receipt)
    assert other.resume(token, title="An episode", episode=Audio(b"a talk"), context={"trusted": True})
    other.close(1)


def test_a_service_that_is_down_holds_and_nothing_raises(manifest: Callable[..., Path]) -> None:
    """The receipt waits for better times."""
    with FakeService() as fake:
        url = fake.url
    client = Client(
        manifests=manifest(), service=url, fallback=None, tenant_key=KEY, environ={}, telemetry=False
    )
    _, receipt = held(client, b"a talk")
    client.flush(10)
    assert client.verdict(receipt).state is HoldState.PENDING
    with pytest.raises(SurfaceHeld):
        resumed(client, receipt, b"a talk")
    client.close(1)


def reported(client: Client, parts: dict[str, int | None], score: float, digest: str) -> JobReport:
    labels = client.policy("episodes.publish").labels
    scores = [Signal(label, score, name, evidence=(TimeRange(0, 1),)) for label in labels for name in parts]
    return JobReport(JobState.DONE, (), Signals(scores), labels, parts, "e", digest)


@pytest.mark.parametrize(
    "parts", [{}, {"title": 10}, {"title": 9, "episode": None}, {"title": 10, "talk": None}]
)
@pytest.mark.parametrize("score", [0.0, 0.95])
def test_a_report_on_other_content_lets_nothing_through(
    remote: tuple[Client, FakeService],
    monkeypatch: pytest.MonkeyPatch,
    parts: dict[str, int | None],
    score: float,
) -> None:
    """Parts that were held and are not in it were not checked; what it found besides still stops them."""
    client, _ = remote
    _, receipt = held(client, b"a talk")
    client.flush(10)
    monkeypatch.setattr(RemoteJobs, "report", lambda *_: reported(client, parts, score, receipt.digest))
    if "episode" not in parts:
        assert client.verdict(receipt).state is HoldState.PENDING
    with pytest.raises(SurfaceBlocked if parts and score > 0.9 else SurfaceHeld):
        resumed(client, receipt, b"a talk", trusted=True)


def test_what_a_person_releases_is_still_redacted(remote: tuple[Client, FakeService]) -> None:
    """The receipt of a hold by policy is another one than the job's: its texts are looked at again, its
    recording is not."""
    client, fake = remote
    title = "ann@example.com talks"
    _say(fake, "privacy.pii_exposure", 0.99, "ann@example.com", [(0, 15)])
    _say(fake, "violence.threat", 0.9, "threat", [])
    _, receipt = held(client, b"a threat", title)
    client.flush(10)
    with pytest.raises(SurfaceHeld) as caught:
        resumed(client, receipt, b"a threat", title, trusted=True)
    second = caught.value.receipt
    assert second.reason is HoldReason.POLICY
    fake.holds[second.decision_id] = {
        "decision_id": second.decision_id, "surface": second.surface, "digest": second.digest,
        "state": "released", "decided_at": 0.0, "note": None,
    }  # fmt: skip
    decision = resumed(client, second, b"a threat", title, trusted=True)
    assert decision.disposition is Disposition.ALLOW
    assert decision.content is not None
    assert "ann@example.com" not in str([part.data for part in decision.content])
    assert decision.content.part("episode") == Audio(b"a threat", "episode")


REQUEST = DetectRequest(Content([Text("t", "title"), Audio(b"12345", "episode")]), ("hate.speech",))


def test_what_waits_to_be_sent_is_bounded_in_bytes() -> None:
    """One large recording goes in any case; beyond the bound the receipt has to bring it again."""
    faults = FaultCounter()
    idle = Workers("test", 0, 10, faults)
    sending = Sending(idle, most=10)
    jobs = LocalJobs(FakeDetector(), faults)
    assert [sending.start(jobs, str(n), REQUEST, "") for n in range(3)] == [True, False, False]
    busy = Workers("test", 1, 10, faults)
    sending = Sending(busy, most=4)
    assert sending.start(jobs, "4", REQUEST, "")
    assert busy.drain(10)
    assert sending.start(jobs, "5", REQUEST, "")
    busy.close()


class Unequipped(FakeDetector):
    """A detector that finds out late what it lacks."""

    def detect(self, requests: Sequence[DetectRequest], *, timeout: float | None = None) -> list[Signals]:
        raise ConfigurationError("models are missing")


def test_a_job_whose_detector_cannot_start_is_over_and_tried_again() -> None:
    """It would wait for ever if it stayed running."""
    jobs = LocalJobs(Unequipped(), FaultCounter())
    assert jobs.submit("1", REQUEST, "") is None
    report = jobs.report("1")
    assert report is not None
    assert (report.state, report.signals is not None and report.signals.has_failures) == (JobState.DONE, True)
    assert jobs._begun("1")


def test_answers_of_this_process_are_bounded_in_number() -> None:
    """The oldest go first."""
    jobs = LocalJobs(FakeDetector(), FaultCounter())
    for number in range(MOST_REPORTS + 1):
        assert jobs.submit(str(number), REQUEST, "") is None
    assert jobs.report("0") is None
    assert jobs.report(str(MOST_REPORTS)) is not None
