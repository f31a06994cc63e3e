"""Celery: guarded tasks run, fail without content, and are tried again after an outage."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from celery import Celery, Task
from celery.exceptions import Retry

from spotsafe import ConfigurationError, Decision, SurfaceBlocked, SurfaceHeld, Text, safe_surface
from spotsafe.core.errors import Failure
from spotsafe.core.receipts import Receipt
from spotsafe.integrations.celery import settled
from spotsafe.testing import FakeDetector

kept: list[Receipt] = []


@pytest.fixture
def task() -> Task:
    kept.clear()
    app = Celery("tests", broker="memory://", backend="cache+memory://", set_as_current=False)

    @app.task
    @settled(retry_in=5, max_retries=2, keep=kept.append)
    @safe_surface("comments.create", item="comment_id")
    def create(comment_id: str, body: Annotated[str, Text], decision: Decision) -> str:
        return f"{body} {decision.action}"

    return create


def test_a_guarded_task_runs(task: Task) -> None:
    """Eagerly and by apply(); the decision is filled in and not among the task's arguments."""
    assert task.apply(args=("c1", "fine")).get() == "fine allow"
    assert task("c1", body="fine") == "fine allow"
    with pytest.raises(TypeError):
        task.apply_async(args=("c1",))


def test_a_refused_task_fails_without_content(task: Task) -> None:
    """SurfaceBlocked is the task's error; neither it nor its traceback holds the content."""
    result = task.apply(args=("c1", "refused canary-55"))
    assert isinstance(result.result, SurfaceBlocked)
    assert "canary-55" not in str(result.traceback)


def test_a_hold_by_policy_fails_and_its_receipt_is_kept(task: Task) -> None:
    """No retry would change it: the product keeps the receipt."""
    result = task.apply(args=("c1", "held"))
    assert isinstance(result.result, SurfaceHeld)
    assert [receipt.surface for receipt in kept] == ["comments.create"]


def run_as_worker(task: Task, retries: int) -> Any:
    """Call the task as a worker does; a retry raises Retry after it was sent to the broker."""
    task.push_request(
        args=("c1", "fine"), kwargs={}, retries=retries, called_directly=False, is_eager=False, id="t1"
    )
    try:
        return task.run("c1", "fine")
    finally:
        task.pop_request()


def test_an_outage_is_tried_again_and_given_up_in_the_end(
    task: Task, script: FakeDetector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A task that nobody could check is retried in *retry_in* seconds, at most *max_retries* times."""
    sent: list[Any] = []
    monkeypatch.setattr("celery.canvas.Signature.apply_async", lambda self, **kw: sent.append(self.options))
    script.fail(Failure.TIMEOUT)
    from celery._state import _task_stack

    _task_stack.push(task)
    try:
        with pytest.raises(Retry):
            run_as_worker(task, retries=1)
        assert [options["countdown"] for options in sent] == [5]
        assert kept == []
        with pytest.raises(SurfaceHeld):
            run_as_worker(task, retries=2)
        assert len(kept) == 1
        script.recover()
        assert run_as_worker(task, retries=1) == "fine allow"
    finally:
        _task_stack.pop()


def test_the_wrong_order_is_refused() -> None:
    """@safe_surface and @settled stand below Celery's decorator."""
    app = Celery("tests", broker="memory://", set_as_current=False)
    for name, decorate in (("guard", safe_surface("comments.create")), ("settled", settled())):
        with pytest.raises(ConfigurationError, match="below the decorator"):

            @decorate
            @app.task(name=name)
            def create(body: Annotated[str, Text]) -> None: ...
