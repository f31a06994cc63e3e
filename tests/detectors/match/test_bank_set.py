"""Entries, the log, exact files, texts, lists and the detector of known texts."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spotsafe.core.content import Content, Image, Text
from spotsafe.core.seams import Detector, DetectRequest
from spotsafe.core.signals import Cause
from spotsafe.detectors.match.bank_set import BankSet
from spotsafe.detectors.match.detector import KnownTextDetector
from spotsafe.detectors.match.entries import Bank, BankError, Terms
from spotsafe.detectors.match.lists import BadLine, instant, rows
from spotsafe.detectors.match.picture_hash import stored_hashes, to_hex
from spotsafe.detectors.match.text_signature import folded, signature
from spotsafe.testing.clock import ManualClock
from tests.detectors.match.conftest import START
from tests.detectors.match.made import picture, song

TERMS = Terms("integrity.spam", "in-house")
DIGEST = sha256(b"a file").digest()
SPAM = (
    "Congratulations Maria! You have won 1,000 dollars in our summer draw, "
    "claim them at http://win.example/a1 before Friday"
)

# ── entries and the log ─────────────────────────────────────────────────────────────────────────────


def test_an_entry_says_all_that_is_known_of_it(banks: BankSet) -> None:
    """Id, bank, label, source, added, expires, note."""
    terms = Terms("child.csam", "ncmec", expires=START + 9, note="list of May", id="n-1")
    assert banks.exact.add(DIGEST, terms) == ("n-1", True)
    assert banks.entry("n-1") == (
        "n-1", Bank.EXACT, "child.csam", "ncmec", START, START + 9, "list of May",
    )  # fmt: skip
    assert banks.counts()[Bank.EXACT] == (1, 1)


@pytest.mark.parametrize(
    ("terms", "words"),
    [
        (TERMS._replace(label="spam"), "unknown label"),
        (TERMS._replace(source=" "), "needs a source"),
        (TERMS._replace(note="x" * 501), "note is longer than 500"),
    ],
)
def test_bad_terms_are_refused_with_the_remedy(terms: Terms, words: str, banks: BankSet) -> None:
    """Nothing is added, nothing logged."""
    with pytest.raises(BankError, match=words):
        banks.exact.add(DIGEST, terms)
    assert (banks.entries(), banks.changes()) == ([], [])


def test_the_same_item_from_the_same_source_is_one_entry(banks: BankSet) -> None:
    """However often it is added; another source or label makes another entry."""
    first = banks.exact.add(DIGEST, TERMS)
    assert banks.exact.add(DIGEST, TERMS) == (first.id, False)
    assert banks.exact.add(DIGEST, TERMS._replace(source="partner")).new
    assert [match.source for match in banks.match_bytes(DIGEST)] == ["in-house", "partner"]
    assert len(banks.changes()) == 2


def test_an_id_belongs_to_one_bank(banks: BankSet) -> None:
    """The same id in another bank would be ambiguous to remove."""
    banks.exact.add(DIGEST, TERMS._replace(id="x"))
    with pytest.raises(BankError, match="taken by an entry of the exact bank"):
        banks.text.add(SPAM, TERMS._replace(id="x"))


def test_the_log_names_who_did_what_when_and_cannot_be_changed(
    opened: Callable[[str], BankSet], clock: ManualClock, tmp_path: Path
) -> None:
    """Rows outlive the entries; the file itself refuses to forget."""
    entry_id = opened("maria").exact.add(DIGEST, TERMS).id
    clock.advance(5)
    assert opened("noor").remove(entry_id, reason="appeal granted")
    assert not opened("noor").remove(entry_id)
    log = [(c.at, c.actor, c.action, c.entry, c.detail) for c in opened("x").changes()]
    assert log == [
        (START, "maria", "add", entry_id, "integrity.spam from in-house, 1 stored"),
        (START + 5, "noor", "remove", entry_id, "appeal granted"),
    ]
    raw = sqlite3.connect(tmp_path / "banks" / "banks.sqlite3")
    for statement in ("DELETE FROM log", "UPDATE log SET actor = 'nobody'"):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            raw.execute(statement)
    assert raw.execute("SELECT COUNT(*) FROM items").fetchone() == (0,)
    raw.close()


def test_what_was_removed_is_written_over(banks: BankSet, tmp_path: Path) -> None:
    """The digest stands in no file of the banks any more."""
    entry_id = banks.exact.add(DIGEST, TERMS).id
    banks.remove(entry_id)
    banks.close()
    kept = b"".join(path.read_bytes() for path in (tmp_path / "banks").iterdir() if path.is_file())
    assert DIGEST not in kept


def test_only_its_owner_can_read_the_file(banks: BankSet, tmp_path: Path) -> None:
    """Lists of hashes are handed out under agreements."""
    assert (tmp_path / "banks" / "banks.sqlite3").stat().st_mode & 0o077 == 0


def test_anothers_database_and_missing_banks_are_refused(tmp_path: Path) -> None:
    """Named, with the remedy, and left as they are."""
    (tmp_path / "other").mkdir()
    raw = sqlite3.connect(tmp_path / "other" / "banks.sqlite3")
    raw.execute("CREATE TABLE t(x)")
    raw.commit()
    raw.close()
    with pytest.raises(BankError, match="another program's database"):
        BankSet.open(tmp_path / "other")
    with pytest.raises(BankError, match="there are no banks"):
        BankSet.open(tmp_path / "nowhere", create=False)
    (tmp_path / "other" / "banks.sqlite3").write_bytes(b"no database at all" * 100)
    with pytest.raises(BankError, match="SQLITE_NOTADB"):
        BankSet.open(tmp_path / "other")


def test_a_child_process_has_its_own_connection(banks: BankSet) -> None:
    """What a forked worker adds, its parent finds."""
    child = os.fork()
    if not child:
        done = 1
        try:
            done = 0 if banks.exact.add(DIGEST, TERMS).new else 1
        finally:
            os._exit(done)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert len(banks.match_bytes(DIGEST)) == 1


def test_an_expired_file_is_not_known(banks: BankSet, clock: ManualClock) -> None:
    """At the instant itself it has expired."""
    banks.exact.add(DIGEST, TERMS._replace(expires=START + 1))
    assert len(banks.match_bytes(DIGEST)) == 1
    clock.advance(1)
    assert banks.match_bytes(DIGEST) == []


# ── texts ───────────────────────────────────────────────────────────────────────────────────────────

VARIANTS = {
    "the same": SPAM,
    "shouted": SPAM.upper(),
    "another name, sum and link": SPAM.replace("Maria", "Peter").replace("1,000", "250").replace("a1", "zz"),
    "invisible characters": SPAM.replace("o", "o\u200b").replace("e", "e\u0301"),
    "full width": "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in SPAM[:60]) + SPAM[60:],
    "greeting before it": "Good morning my friends, " + SPAM,
}


@pytest.mark.parametrize("text", VARIANTS.values(), ids=VARIANTS)
def test_a_campaigns_variants_are_known(text: str, banks: BankSet) -> None:
    """What campaigns vary does not hide them."""
    entry_id = banks.text.add(SPAM, TERMS).id
    banks.text.add("An entirely different message about the weather in the mountains this week", TERMS)
    assert [match.entry_id for match in banks.match_text(text)] == [entry_id]


@pytest.mark.parametrize("text", ["Thanks, see you at the meeting on Friday, Maria won the draw!", "", "won"])
def test_other_texts_are_not(text: str, banks: BankSet) -> None:
    """Sharing words, or being short, is not being a copy."""
    banks.text.add(SPAM, TERMS)
    assert banks.match_text(text) == []


def test_empty_banks_know_nothing(banks: BankSet) -> None:
    """Every look-up can be asked before anything was added."""
    assert banks.match_text(SPAM) == banks.match_frames(picture(1)) == banks.match_bytes(DIGEST) == []
    assert banks.match_sound(song(1)) == []


def test_a_short_text_is_refused(banks: BankSet) -> None:
    """With the way out."""
    with pytest.raises(BankError, match=r"too short .* exact bank"):
        banks.text.add("buy now", TERMS)


def test_no_wording_is_kept(banks: BankSet, tmp_path: Path) -> None:
    """Neither of a text that was added nor of one that was looked up."""
    banks.text.add(SPAM, TERMS)
    banks.match_text(SPAM)
    banks.close()
    kept = b"".join(path.read_bytes() for path in (tmp_path / "banks").iterdir() if path.is_file())
    assert b"Congratulations" not in kept
    assert b"congratulations" not in kept


@settings(max_examples=60)
@given(st.text(max_size=200))
def test_folding_is_stable(text: str) -> None:
    """Any text can be folded; folded twice it is the same; a signature is there or not, never an error."""
    once = folded(text)
    assert folded(once) == once
    found = signature(text)
    assert found is None or (found == signature(once)).all()


# ── the detector ────────────────────────────────────────────────────────────────────────────────────


def test_known_texts_are_a_detector(banks: BankSet) -> None:
    """1 for a known campaign, 0 for the bank's other labels, missing for the rest; its version changes with
    the banks."""
    detector = KnownTextDetector(banks.texts)
    assert isinstance(detector, Detector)
    before = detector.version
    banks.text.add(SPAM, TERMS)
    banks.exact.add(sha256(b"buy now").digest(), TERMS._replace(label="fraud.scam"))
    assert detector.version != before
    content = Content([Text(SPAM, "body"), Text("buy now", "title"), Image(b"\x89PNG", "cover")])
    labels = ("fraud.scam", "hate.speech", "integrity.spam")
    (signals,) = detector.detect([DetectRequest(content, labels)])
    scores = {(signal.label, signal.part): signal.score for signal in signals.scores}
    assert scores == {
        ("integrity.spam", "body"): 1.0, ("fraud.scam", "body"): 0.0,
        ("integrity.spam", "title"): 0.0, ("fraud.scam", "title"): 1.0,
    }  # fmt: skip
    causes = {(gap.label, gap.part): gap.cause for gap in signals.missing}
    assert causes[("hate.speech", "body")] is Cause.UNSUPPORTED
    assert causes[("integrity.spam", "cover")] is Cause.MODALITY
    assert len(causes) + len(scores) == 9


# ── lists ───────────────────────────────────────────────────────────────────────────────────────────

PDQ = to_hex(stored_hashes(picture(1))[0].value)
SHA = DIGEST.hex()


@pytest.mark.parametrize(
    "lines",
    [
        [SHA],
        [SHA.upper(), "", "# a comment"],
        ["hash,label", f"{SHA},integrity.spam"],
        ["\ufeffnote,sha256", f'"with, comma",{SHA}'],
        [json.dumps({"hashValue": SHA, "signalType": "SHA256"})],
        [json.dumps({"indicator": SHA, "type": "HASH_SHA256", "tags": ["x"]})],
    ],
)
def test_lists_of_several_makes_are_read(lines: list[str], banks: BankSet) -> None:
    """Bare hashes, CSV with columns in any order, JSON lines of exchanges."""
    assert banks.import_list(lines, Bank.EXACT, TERMS) == (1, 0, ())
    assert len(banks.match_bytes(DIGEST)) == 1
    assert banks.import_list(lines, Bank.EXACT, TERMS) == (0, 1, ())


def test_a_picture_of_a_list_is_found_mirrored_and_bordered(banks: BankSet) -> None:
    """What is done at look-up serves entries that are only a hash."""
    done = banks.import_list(["pdq,quality", f"{PDQ},100"], Bank.IMAGE, TERMS)
    assert done.added == 1
    assert len(banks.match_frames(picture(1)[:, ::-1])) == 1


def test_bad_lines_are_named_by_number_and_do_not_stop_the_rest(banks: BankSet) -> None:
    """What was wrong with each; never what stood there."""
    secret = "canary"
    lines = [
        "hash,quality,label,expires,type",
        f"{PDQ},100,child.csam,2027-01-31,pdq",
        f"{secret},100,child.csam,,",
        f"{PDQ},20,child.csam,,",
        f"{PDQ},high,child.csam,,",
        f"{PDQ},100,{secret},,",
        f"{PDQ},100,child.csam,{secret},",
        f"{PDQ},100,child.csam,,md5",
        '"unclosed',
        "{broken",
        ",100,child.csam,,",
        f"{PDQ},100,terror.content,,",
    ]
    done = banks.import_list(lines, Bank.IMAGE, Terms("", "exchange"))
    assert (done.added, done.known) == (2, 0)
    assert [bad.line for bad in done.bad] == [3, 4, 5, 6, 7, 8, 9, 10, 11]
    assert not any(secret in bad.reason for bad in done.bad)
    assert banks.entries(label="child.csam")[0].expires == instant("2027-01-31T00:00:00+00:00")


def test_a_list_without_a_column_for_the_hash_is_told(banks: BankSet) -> None:
    """Where its head line is, with the names that are known; a head line further down is still found."""
    done = banks.import_list(["md5,case", "made by a tool"], Bank.IMAGE, TERMS)
    assert [bad.line for bad in done.bad] == [1, 2]
    assert all("call the column of the hash one of hash, pdq" in bad.reason for bad in done.bad)
    assert banks.import_list(["made by a tool", "pdq", PDQ], Bank.IMAGE, TERMS)[:2] == (1, 0)


def test_a_listed_id_of_another_bank_is_a_bad_line(banks: BankSet) -> None:
    """One line does not spoil its batch."""
    banks.exact.add(DIGEST, TERMS._replace(id="x"))
    done = banks.import_list(["hash,id", f"{PDQ},x", f"{PDQ},y"], Bank.IMAGE, TERMS)
    assert (done.added, [bad.line for bad in done.bad]) == (1, [2])


def test_texts_and_fingerprints_are_listed_too(banks: BankSet) -> None:
    """Texts one per line or as JSON; fingerprints as ``fpcalc -raw -json`` prints them, signed or not."""
    assert banks.import_list([SPAM, "short"], Bank.TEXT, TERMS)[:2] == (1, 0)
    items = [((number * 2_654_435_761) % 2**32) - 2**31 for number in range(60)]
    lines = [json.dumps({"duration": 9.2, "fingerprint": items}), '{"fingerprint": ["x"]}']
    done = banks.import_list(lines, Bank.AUDIO, TERMS)
    assert (done.added, [bad.line for bad in done.bad]) == (1, [2])


@settings(max_examples=100)
@given(st.lists(st.text(max_size=80), max_size=8), st.sampled_from(Bank))
def test_no_list_stops_the_reader(lines: list[str], bank: Bank) -> None:
    """Each line is skipped, a row, or bad; numbers grow."""
    numbers = [row.line for row in rows(lines, bank, TERMS)]
    assert numbers == sorted(set(numbers))
    assert all(1 <= number <= len(lines) for number in numbers)
    assert all(isinstance(row, BadLine) or row.value for row in rows(lines, bank, TERMS))
