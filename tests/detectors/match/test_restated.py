"""Entries that are added again, that expire, and whose expiry is no instant."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from hashlib import sha256

import numpy as np
import pytest

from spotsafe.detectors.match.bank_set import BankSet
from spotsafe.detectors.match.entries import Bank, BankError, Terms
from spotsafe.testing.clock import ManualClock
from tests.detectors.match.conftest import START

TERMS = Terms("integrity.spam", "hotline")
DIGEST = sha256(b"a file").digest()


def test_an_expired_entry_that_is_added_again_is_known_again(banks: BankSet, clock: ManualClock) -> None:
    """What is said last counts; when it was first added stays, and the change is logged."""
    entry_id = banks.exact.add(DIGEST, TERMS._replace(expires=START + 1, note="May")).id
    clock.advance(1)
    assert banks.match_bytes(DIGEST) == []
    assert banks.exact.add(DIGEST, TERMS) == (entry_id, False)
    assert [match.entry_id for match in banks.match_bytes(DIGEST)] == [entry_id]
    entry = banks.entry(entry_id)
    assert entry is not None
    assert (entry.added, entry.expires, entry.note) == (START, None, "May")
    last = banks.changes()[-1]
    assert (last.at, last.action, last.entry) == (START + 1, "change", entry_id)
    assert last.detail == "expires stated anew; integrity.spam from hotline"
    banks.exact.add(DIGEST, TERMS)
    assert banks.changes()[-1] == last  # the same again is no change


def test_a_list_that_is_read_again_shortens_what_it_said(banks: BankSet, clock: ManualClock) -> None:
    """A source that takes something back by an expiry is heard."""
    line = {"sha256": DIGEST.hex(), "source": "hotline"}
    assert banks.import_list([json.dumps(line)], Bank.EXACT, TERMS) == (1, 0, ())
    again = json.dumps({**line, "expires": START + 5})
    assert banks.import_list([again], Bank.EXACT, TERMS) == (0, 1, ())
    assert len(banks.match_bytes(DIGEST)) == 1
    clock.advance(5)
    assert banks.match_bytes(DIGEST) == []


def test_further_hashes_of_one_id_are_kept(banks: BankSet) -> None:
    """A case with several pictures is one entry; the second picture is not dropped as known."""
    chance = np.random.default_rng(1)
    first, second = (chance.integers(0, 2**63, 4, np.uint64) for _ in range(2))
    terms = TERMS._replace(id="case-81")
    assert banks.image.add_hashes([(first, "whole")], terms).new
    assert banks.image.add_hashes([(second, "whole")], terms).new
    assert not banks.image.add_hashes([(first, "whole"), (second, "whole")], terms).new
    assert banks.counts()[Bank.IMAGE] == (1, 2)
    for value in (first, second):
        assert [match.entry_id for match in banks.image.match_hash(value)] == ["case-81"]


def test_a_label_that_was_corrected_is_the_one_that_matches(banks: BankSet) -> None:
    """Under an id of one's own, label and source can be stated anew."""
    banks.exact.add(DIGEST, TERMS._replace(id="x"))
    banks.exact.add(DIGEST, Terms("fraud.scam", "legal", id="x"))
    (match,) = banks.match_bytes(DIGEST)
    assert (match.label, match.source) == ("fraud.scam", "legal")
    assert banks.labels(Bank.EXACT) == ("fraud.scam",)


@pytest.mark.parametrize("expires", [math.nan, math.inf, -math.inf])
def test_an_expiry_is_an_instant(expires: float, banks: BankSet) -> None:
    """Not a number would be stored as never."""
    with pytest.raises(BankError, match="expires at an instant"):
        banks.exact.add(DIGEST, TERMS._replace(expires=expires))
    assert banks.entries() == []


@pytest.mark.parametrize("written", ["nan", "inf", "-Infinity", True, [1], "1e999", 10**400])
def test_a_listed_expiry_is_an_instant(written: object, banks: BankSet) -> None:
    """A bad line says so, and nothing of it is added."""
    line = json.dumps({"sha256": DIGEST.hex(), "expires": written})
    done = banks.import_list([line], Bank.EXACT, TERMS)
    assert (done.added, [bad.line for bad in done.bad]) == (0, [1])
    assert "ISO 8601" in done.bad[0].reason


def test_an_expiry_changes_the_version(
    banks: BankSet, opened: Callable[[str], BankSet], clock: ManualClock
) -> None:
    """So that signals in a cache do not outlive the entry; nothing else has to happen for it."""
    banks.exact.add(DIGEST, TERMS._replace(expires=START + 1))
    banks.exact.add(DIGEST, TERMS._replace(source="b", expires=START + 1.5))
    versions = [banks.texts.version, banks.texts.version]
    for step in (1, 0.5):
        clock.advance(step)
        versions += [banks.texts.version, opened("x").texts.version]
    assert versions[0::2] == versions[1::2]
    assert len(set(versions)) == 3
