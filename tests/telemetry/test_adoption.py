"""Adoption: sums that merge in any order, and the table that owners read."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis.strategies import (
    booleans,
    builds,
    dictionaries,
    fixed_dictionaries,
    floats,
    integers,
    just,
    lists,
    none,
    one_of,
    recursive,
    sampled_from,
    text,
)

from spotsafe.core.decision import Disposition, Mode, Status, Verdict
from spotsafe.core.records import EVENT_KINDS
from spotsafe.core.signals import Cause
from spotsafe.telemetry.adoption import (
    ALIVE_SECONDS,
    DISPOSITIONS,
    MODES,
    ROW_NAMES,
    STATUSES,
    AdoptionState,
    Row,
    fold,
    merged,
)
from spotsafe.telemetry.adoption_table import AdoptionTable, summarise
from spotsafe.telemetry.events import (
    SurfaceEntry,
    decision_record,
    drops_record,
    feedback_record,
    register_records,
)
from spotsafe.telemetry.histogram import RELATIVE_ERROR
from spotsafe.telemetry.identity import Identity

NOW = 1_800_000_000.0
DAY = 86_400.0

heads = {
    "event_id": just("x"),
    "at": floats(NOW - 30 * DAY, NOW),
    "app": sampled_from(["api", "worker"]),
    "environment": sampled_from(["production", "ci"]),
    "instance": sampled_from(["a", "b"]),
    "sdk": sampled_from(["1.0", "1.1"]),
}
decisions = fixed_dictionaries({
    **heads, "kind": just("decision"), "surface": sampled_from(["s1", "s2"]),
    "team": sampled_from(["t1", ""]), "status": sampled_from(STATUSES),
    "disposition": sampled_from(DISPOSITIONS), "mode": sampled_from(MODES),
    "queued": booleans(), "failed_open": booleans(),
    "latency_ms": floats(0, 1000),
    "would": one_of(none(), builds(lambda d: {"disposition": d, "effects": []}, sampled_from(DISPOSITIONS))),
    "kill_switch": sampled_from([None, "process"]), "waivers": lists(sampled_from(["w1", "w2"]), max_size=2),
    "hold": sampled_from([None, {"expires": 1.0}]),
})  # fmt: skip
registers = fixed_dictionaries({
    **heads, "kind": just("register"),
    "kill_switches": lists(sampled_from(["process", "surface:s1"]), max_size=2),
    "surfaces": lists(fixed_dictionaries({
        "surface": sampled_from(["s1", "s2", "s3"]), "team": sampled_from(["t1", ""]), "declared": booleans(),
        "decorated": booleans(), "mode": sampled_from(MODES), "unsupported": just(["ip.copyright"]),
        "waivers": just([{"rule": "w1", "ends": 5.0, "owner": "me"}]),
    }), max_size=3),
})  # fmt: skip
drops = fixed_dictionaries(
    {
        **heads,
        "kind": just("drops"),
        "drops": dictionaries(sampled_from(["full", "expired"]), integers(1, 9)),
    }
)
events = one_of(decisions, registers, drops)
anything = recursive(
    one_of(none(), booleans(), integers(), floats(), text(max_size=5)),
    lambda inner: one_of(lists(inner, max_size=3), dictionaries(text(max_size=5), inner, max_size=3)),
    max_leaves=5,
)


def state_of(records: list[dict[str, Any]]) -> AdoptionState:
    state = AdoptionState()
    for record in records:
        state.add(record)
    return state


@given(lists(events, max_size=6), lists(events, max_size=6), lists(events, max_size=6))
def test_merging_is_associative_and_commutative(a: Any, b: Any, c: Any) -> None:
    """Any order of processes, days and stores gives one table."""
    x, y, z = state_of(a), state_of(b), state_of(c)
    assert x.merge(y) == y.merge(x)
    assert x.merge(y).merge(z) == x.merge(y.merge(z)) == state_of([*a, *b, *c])
    assert x.merge(AdoptionState()) == x


@given(lists(events, max_size=12), integers())
def test_the_order_of_events_does_not_matter(records: Any, seed: int) -> None:
    """Delivery may reorder; the state is the same."""
    shuffled = list(records)
    Random(seed).shuffle(shuffled)
    assert state_of(shuffled) == state_of(records)


@given(lists(events, max_size=12))
def test_a_state_and_its_table_survive_json(records: Any) -> None:
    """What a store persists and a route answers reads back as what it was."""
    state = state_of(records)
    assert AdoptionState.from_json(json.loads(json.dumps(state.to_json()))) == state
    table = summarise(state, now=NOW)
    assert AdoptionTable.from_json(json.loads(json.dumps(table.to_json()))) == table
    assert summarise(state.rows(), now=NOW) == table == summarise(records, now=NOW)


@given(lists(events, max_size=12))
def test_row_names_are_the_documented_ones(records: Any) -> None:
    """A store's rows can be read by anyone who has the documentation."""
    known = {name.partition(".")[0] for name in ROW_NAMES}
    assert {row.key.name.partition(".")[0] for row in state_of(records).rows()} <= known


KEYS = [*heads, "kind", "surfaces", "waivers", "would", "drops", "latency_ms", "surface"]


@given(dictionaries(sampled_from(KEYS), one_of(anything, sampled_from(EVENT_KINDS))))
def test_folding_never_fails(record: Any) -> None:
    """A malformed event from a client of any age costs nobody the table."""
    rows = fold(record)
    summarise(rows, now=NOW)
    json.dumps([[*row.key, *row[1:]] for row in rows]).encode()


def test_a_process_with_a_fast_clock_does_not_live_for_ever() -> None:
    """The time of receipt bounds the time that an event claims."""
    record = {"kind": "decision", "at": NOW + 400 * DAY, "surface": "s"}
    assert {row.at for row in fold(record, received=NOW)} == {NOW}


def test_equal_rows_merge_by_sum_and_latest() -> None:
    """The rule that a store's upsert follows."""
    key = fold({"kind": "decision", "at": NOW, "surface": "s"})[0].key
    assert merged(Row(key, 2, 5.0, "b"), Row(key, 3, 4.0, "c")) == Row(key, 5, 5.0, "b")
    assert merged(Row(key, 2, 5.0, "b"), Row(key, 3, 5.0, "c")) == Row(key, 5, 5.0, "c")


# ── the table ───────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def report(decision: Any, policy: Any) -> Any:
    """Records of decisions on one surface."""

    def make(
        surface: str = "comments.create", *, identity: Any = None, at: float = NOW, **fields: Any
    ) -> Any:
        identity = identity or Identity("api", sdk="1.0", entropy=lambda n: b"\x01" * n)
        latency, switch = fields.pop("latency_ms", 1.0), fields.pop("kill_switch", None)
        queued, shown = fields.pop("queued", False), fields.pop("policy", {})
        made = decision(surface, **fields)
        made.kill_switch, made.queued = switch, queued
        return decision_record(made, policy(surface, **shown), identity=identity, at=at, latency_ms=latency)

    return make


def registered(clock: Any, *surfaces: SurfaceEntry, at: float = NOW, switches: Any = (), **who: Any) -> Any:
    clock.time = at
    instance, environment = who.get("instance", b"\x01"), who.get("environment", "production")
    identity = Identity(
        who.get("app", "api"), environment, sdk=who.get("sdk", "1.0"), entropy=lambda n: instance * n
    )
    return register_records(surfaces, identity=identity, kill_switches=switches, clock=clock)


def test_traffic_is_shown_by_status_and_disposition(report: Any, clock: Any) -> None:
    """One row per team and surface: how much, how well checked, what happened."""
    records = [
        *registered(clock, SurfaceEntry("comments.create", "podcasts", True, True)),
        report(),
        report(status=Status.CACHED, queued=True),
        report(disposition=Disposition.BLOCK, at=NOW + 1),
        report(status=Status.UNCHECKED, missing={"hate.speech": Cause.TIMEOUT}),
        report(kill_switch="process", status=Status.UNCHECKED, missing={"hate.speech": Cause.ERROR}),
        report(would=Verdict(Disposition.HOLD), policy={"mode": Mode.SHADOW}, at=NOW - 5),
    ]
    (row,) = summarise(records, now=NOW).rows
    assert (row.team, row.surface, row.environment, row.apps) == (
        "podcasts", "comments.create", "production", ("api",),
    )  # fmt: skip
    assert (row.declared, row.decorated, row.seen, row.unlinked) == (True, True, True, "")
    assert row.traffic == 6
    assert row.statuses == pytest.approx({"checked": 3 / 6, "cached": 1 / 6, "unchecked": 2 / 6}, abs=1e-6)
    assert row.dispositions == pytest.approx({"allow": 5 / 6, "block": 1 / 6}, abs=1e-6)
    assert (row.queued, row.failed_open, row.bypassed, row.would) == (1, 1, 1, {"hold": 1})
    assert (row.mode, row.kill_switches, row.last_seen, row.sdks) == (
        "enforce",
        ("process",),
        NOW + 1,
        ("1.0",),
    )


def test_latency_quantiles_are_within_the_stated_error(report: Any) -> None:
    """p50 and p95 of what the guard added, from buckets that merge."""
    (row,) = summarise([report(latency_ms=float(n)) for n in range(1, 101)], now=NOW).rows
    assert row.p50_ms == pytest.approx(50, rel=RELATIVE_ERROR)
    assert row.p95_ms == pytest.approx(95, rel=RELATIVE_ERROR)


@pytest.mark.parametrize(
    ("known", "unlinked"),
    [
        ((True, True, True), ""),
        ((True, True, False), ""),
        ((True, False, True), ""),
        ((True, False, False), "manifest"),
        ((False, True, True), "code"),
        ((False, True, False), "code"),
    ],
)
def test_a_surface_is_unlinked_when_only_code_or_only_a_manifest_knows_it(
    report: Any, clock: Any, known: tuple[bool, bool, bool], unlinked: str
) -> None:
    """``check()`` on a declared surface links it as a decorator does."""
    declared, decorated, seen = known
    records = registered(clock, SurfaceEntry("comments.create", "podcasts", declared, decorated))
    table = summarise([*records, *([report()] if seen else [])], now=NOW)
    (row,) = table.rows
    assert (row.declared, row.seen, row.unlinked) == (declared, seen, unlinked)
    assert table.findings() == ([row] if unlinked else [])


def test_traffic_that_no_process_declares_is_unlinked(report: Any) -> None:
    """A surface that runs under the floor is found by its traffic."""
    (row,) = summarise([report()], now=NOW).rows
    assert (row.declared, row.unlinked) == (False, "code")


@pytest.mark.parametrize(("age", "alive"), [(0.0, True), (ALIVE_SECONDS, True), (ALIVE_SECONDS + 1, False)])
def test_what_a_dead_process_declared_no_longer_counts(clock: Any, age: float, alive: bool) -> None:
    """Declared means: by a process that was heard of in the last seven days."""
    records = registered(clock, SurfaceEntry("comments.create", "podcasts", True, True), at=NOW - age)
    assert bool(summarise(records, now=NOW).rows) is alive


def test_a_process_is_alive_while_it_reports_decisions(report: Any, clock: Any) -> None:
    """A registration stays good as long as its process is heard of."""
    records = registered(clock, SurfaceEntry("other", "podcasts", True, True), at=NOW - 2 * ALIVE_SECONDS)
    rows = summarise([*records, report()], now=NOW).rows
    assert [(row.surface, row.declared) for row in rows] == [("comments.create", False), ("other", True)]


def test_the_latest_registration_of_a_process_counts(clock: Any) -> None:
    """A process that registers again replaces what it declared before."""
    before = registered(clock, SurfaceEntry("old", "t", True, True), at=NOW - 5)
    after = registered(clock, SurfaceEntry("new", "t", True, True), at=NOW)
    assert [row.surface for row in summarise([*after, *before], now=NOW).rows] == ["new"]


def test_environments_apart_are_shown_apart_and_one_can_be_chosen(report: Any) -> None:
    """Tests and demos do not dilute what owners see of real traffic."""
    records = [
        report(identity=Identity("api", name)) for name in ("production", "staging", "ci", "test", "demo")
    ]
    table = summarise(records, now=NOW)
    assert [row.environment for row in table.rows] == ["production", "staging"]
    assert [row.environment for row in table.apart] == ["ci", "demo", "test"]
    chosen = summarise(records, now=NOW, environment="ci")
    assert ([row.environment for row in chosen.apart], chosen.rows) == (["ci"], ())


def test_waivers_and_kill_switches_are_shown_where_they_apply(report: Any, clock: Any) -> None:
    """Whatever loosens a surface stands in its row, with owner, end and how often it was used."""
    waiver = {"rule": "baseline/public-ugc#profanity", "ends": NOW + DAY, "owner": "me@example.com"}
    used = report()
    used["waivers"] = [waiver["rule"]]
    records = [
        *registered(
            clock,
            SurfaceEntry(
                "comments.create", "podcasts", True, True, waivers=[waiver], unsupported=["ip.copyright"]
            ),
            SurfaceEntry("profile.edit", "podcasts", True, True),
            switches=["surface:comments.create", "rule:floor#x"],
        ),
        used,
        report(),
    ]  # fmt: skip
    comments, profile = summarise(records, now=NOW).rows
    assert comments.waivers == ({**waiver, "uses": 1},)
    assert comments.kill_switches == ("rule:floor#x", "surface:comments.create")
    assert profile.kill_switches == ("rule:floor#x",)
    assert comments.unsupported == ("ip.copyright",)


def test_several_processes_and_versions_make_one_row(report: Any, clock: Any) -> None:
    """A fleet in the middle of a deployment is one row that names both versions."""
    entry = SurfaceEntry("comments.create", "podcasts", True, True)
    records = [
        *registered(clock, entry, instance=b"\x01", sdk="1.0"),
        *registered(clock, entry, instance=b"\x02", sdk="1.1", app="worker"),
        report(),
    ]
    table = summarise(records, now=NOW)
    (row,) = table.rows
    assert (row.sdks, row.apps, table.instances) == (("1.0", "1.1"), ("api", "worker"), 2)


def test_losses_and_feedback_are_in_the_table(identity: Any, clock: Any) -> None:
    """A table that misses events says how many."""
    records = [
        drops_record({"full": 3}, identity=identity, clock=clock),
        drops_record({"full": 2, "expired": 1}, identity=identity, clock=clock),
        feedback_record("id", identity=identity, verdict="too_strict", clock=clock),
    ]
    table = summarise(records, now=NOW)
    assert table.drops == {"comments-api": {"full": 5, "expired": 1}}
    assert table.feedback == {"too_strict": 1}


def test_days_before_since_are_left_out(report: Any) -> None:
    """A month ago is not today's adoption."""
    records = [report(at=NOW - 40 * DAY), report(at=NOW)]
    (row,) = summarise(records, now=NOW, since=NOW - 7 * DAY).rows
    assert row.traffic == 1


def test_pruning_forgets_old_days_and_dead_processes(report: Any, clock: Any) -> None:
    """A store stays small without losing what the table shows."""
    records = [
        *registered(clock, SurfaceEntry("a", "t"), at=NOW - 30 * DAY, instance=b"\x09"),
        report(at=NOW - 30 * DAY, identity=Identity("api", entropy=lambda n: b"\x09" * n)),
        *registered(clock, SurfaceEntry("comments.create", "podcasts"), at=NOW - 20 * DAY),
        report(),
    ]
    state = state_of(records)
    before = summarise(state, now=NOW, since=NOW - 7 * DAY)
    state.prune(NOW, days=7)
    assert summarise(state, now=NOW) == before
    assert len(state.rows()) < len(state_of(records).rows())


@pytest.mark.parametrize("value", [None, [], {}, {"surfaces": [{}], "apart": []}, {"surfaces": 3}])
def test_what_is_no_table_is_refused(value: Any) -> None:
    """An answer from something else than the service is a clear error."""
    with pytest.raises(ValueError, match="not an adoption table"):
        AdoptionTable.from_json(value)
