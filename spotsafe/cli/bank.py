"""``spotsafe bank``: known pictures, sounds, files and texts: add, remove, list, import, match."""

from __future__ import annotations

import argparse
import getpass
import hashlib
import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spotsafe.core.errors import ConfigurationError, DetectorError

if TYPE_CHECKING:
    from spotsafe.cli.output import Output
    from spotsafe.detectors.match.bank_set import BankSet
    from spotsafe.detectors.match.entries import Added, Match, Terms

BANKS = ("image", "audio", "exact", "text")
FOLDER = "banks"
CHANGING = ("add", "remove", "import", "rebuild")
COLUMNS = ("id", "bank", "label", "source", "added", "expires", "note")
SHOWN_BAD = 20
"""Bad lines of a list that are printed for people; all are in the JSON."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of the command."""
    parser.add_argument("action", choices=tuple(_ACTIONS), help="what to do")
    parser.add_argument(
        "items", nargs="*", help="files to add, import or match; ids to remove; with --hash hashes to add"
    )
    parser.add_argument(
        "--banks", metavar="FOLDER", type=Path, default=None,
        help=f"where the banks are (default: $SPOTSAFE_BANKS, else {FOLDER}/)",
    )  # fmt: skip
    parser.add_argument("--bank", choices=BANKS, help="which bank; for match, only this one")
    parser.add_argument("--label", default="", help="taxonomy code of what is added; list: only these")
    parser.add_argument("--source", default="", help="who vouches for it; list: only these")
    parser.add_argument("--expires", metavar="INSTANT", help="ISO 8601 (UTC) or Unix seconds; default never")
    parser.add_argument("--note", default="", help="for people; why it is removed, for remove")
    parser.add_argument("--id", default="", help="the entry's id (default: made from what is added)")
    parser.add_argument("--hash", action="store_true", help="items are hashes: PDQ or SHA-256 in hexadecimal")
    parser.add_argument("--by", default="", help="who stands in the log (default: the user of this system)")


def run(args: argparse.Namespace, out: Output) -> int:
    """Run the action; 1 where a match was found, an id unknown or a line bad. Raises ConfigurationError."""
    try:
        from spotsafe.detectors.match.bank_set import BankSet
    except ImportError:
        from spotsafe.core.errors import missing_extra

        raise missing_extra("media", "spotsafe bank") from None
    folder = args.banks or Path(os.environ.get("SPOTSAFE_BANKS", FOLDER))
    actor = args.by or getpass.getuser()
    banks = BankSet.open(folder, actor=actor, create=args.action in {"add", "import"})
    try:
        return _ACTIONS[args.action](args, banks, out)
    finally:
        banks.close()


def _add(args: argparse.Namespace, banks: BankSet, out: Output) -> int:
    bank = _needed(args.bank, "--bank")
    items = _items(args)
    terms = _terms(args)
    if terms.id and len(items) > 1:
        raise ConfigurationError("--id names one entry; add one item at a time with it")
    done = []
    with _Media() as media:
        for item in items:
            added = _added(banks, bank, item, terms, media=None if args.hash else media)
            done.append({"item": item, "id": added.id, "new": added.new})
            out.progress(f"{len(done)} of {len(items)}")
    out.json({"added": done})
    for each in done:
        out.line(f"{each['id']}  {each['item']}{'' if each['new'] else '  (was there already)'}", "good")
    return 0


def _added(banks: BankSet, bank: str, item: str, terms: Terms, *, media: _Media | None) -> Added:
    from spotsafe.detectors.match.entries import BankError
    from spotsafe.detectors.match.exact_bank import digest_from_hex
    from spotsafe.detectors.match.picture_hash import from_hex

    try:
        if media is None:
            if bank == "image":
                return banks.image.add_hashes([(from_hex(item), "whole")], terms)
            if bank == "exact":
                return banks.exact.add(digest_from_hex(item), terms)
            raise BankError("--hash is for the image and the exact bank")
        data = Path(item).read_bytes()
        if bank == "exact":
            return banks.exact.add(hashlib.sha256(data).digest(), terms)
        if bank == "text":
            return banks.text.add(data.decode("utf-8", "replace"), terms)
        if bank == "audio":
            return banks.audio.add(media.sound(data), terms)
        return banks.image.add(media.frames(data)[0], terms)
    except DetectorError as error:
        raise ConfigurationError(f"{item}: {error}") from None
    except BankError as error:
        raise ConfigurationError(f"{item}: {error}") from None


def _remove(args: argparse.Namespace, banks: BankSet, out: Output) -> int:
    removed = {item: banks.remove(item, reason=args.note) for item in _items(args)}
    out.json({"removed": [{"id": item, "done": done} for item, done in removed.items()]})
    for item, done in removed.items():
        out.line(f"{item} removed" if done else f"{item} is not in the banks", "good" if done else "warn")
    return 0 if all(removed.values()) else 1


def _list(args: argparse.Namespace, banks: BankSet, out: Output) -> int:
    from spotsafe.detectors.match.entries import Bank

    if args.items:
        raise ConfigurationError("list takes no items; --bank, --label and --source choose what is shown")
    chosen = Bank(args.bank) if args.bank else None
    entries = banks.entries(chosen, label=args.label, source=args.source)
    counts = {bank.value: {"entries": n, "stored": stored} for bank, (n, stored) in banks.counts().items()}
    out.json({"entries": [entry._asdict() for entry in entries], "banks": counts})
    rows = [
        (e.id, e.bank.value, e.label, e.source, _day(e.added), _day(e.expires), e.note or None)
        for e in entries
    ]
    if not rows:
        out.line("no entries")
    out.table(f"{len(rows)} known", COLUMNS, rows)
    return 0


def _import(args: argparse.Namespace, banks: BankSet, out: Output) -> int:
    from spotsafe.detectors.match.entries import Bank

    bank = Bank(_needed(args.bank, "--bank"))
    lists: list[dict[str, Any]] = []
    for item in _items(args):
        with Path(item).open(encoding="utf-8", errors="replace") as lines:
            done = banks.import_list(lines, bank, _terms(args, partial=True), progress=_told(out, item))
        bad = [each._asdict() for each in done.bad]
        lists.append({"list": item, "added": done.added, "known": done.known, "bad": bad})
    out.json({"imported": lists})
    for each in lists:
        out.line(f"{each['list']}: {each['added']} added, {each['known']} there already", "good")
        for line in each["bad"][:SHOWN_BAD]:
            out.line(f"{each['list']}:{line['line']}: {line['reason']}", "warn")
        if len(each["bad"]) > SHOWN_BAD:
            out.line(f"… {len(each['bad']) - SHOWN_BAD} more bad lines; --json has them all", "warn")
    return 1 if any(each["bad"] for each in lists) else 0


def _told(out: Output, name: str) -> Callable[[int], None]:
    return lambda line: out.progress(f"{name}: line {line}")


def _match(args: argparse.Namespace, banks: BankSet, out: Output) -> int:
    found: list[dict[str, Any]] = []
    with _Media() as media:
        for item in _items(args):
            for match in _matches(banks, item, args, media):
                found.append({"item": item, **match._asdict()})
    out.json({"matches": found})
    if not found:
        out.line("nothing known")
    rows = [(f["item"], f["label"], f["entry_id"], f["bank"].value, f["distance"], f["how"]) for f in found]
    out.table(f"{len(rows)} found", ("item", "label", "entry", "bank", "distance", "how"), rows)
    return 1 if found else 0


def _matches(banks: BankSet, item: str, args: argparse.Namespace, media: _Media) -> list[Match]:
    """Matches of a file (or, with --hash, a hash) in the bank asked for, or in all that its kind allows."""
    from spotsafe.detectors.match.exact_bank import digest_from_hex
    from spotsafe.detectors.match.picture_hash import from_hex

    if args.hash:
        exact = args.bank == "exact"
        return banks.match_bytes(digest_from_hex(item)) if exact else banks.image.match_hash(from_hex(item))
    data = Path(item).read_bytes()
    asked: dict[str, Callable[[], list[Match]]] = {
        "exact": lambda: banks.match_bytes(hashlib.sha256(data).digest()),
        "image": lambda: banks.match_frames(media.frames(data)),
        "audio": lambda: banks.match_sound(media.sound(data)),
        "text": lambda: banks.match_text(data.decode("utf-8", "replace")),
    }
    found: list[Match] = []
    for bank in (args.bank,) if args.bank else _kinds(data):
        try:
            found += asked[bank]()
        except DetectorError as error:
            if args.bank:
                raise ConfigurationError(f"{item}: {error}") from None
    return found


def _kinds(data: bytes) -> tuple[str, ...]:
    """The banks to ask about a file: texts are UTF-8 without NUL, everything else may be picture or sound."""
    try:
        text = "\0" not in data.decode("utf-8")
    except UnicodeDecodeError:
        text = False
    return ("exact", "text") if text else ("exact", "image", "audio")


def _rebuild(args: argparse.Namespace, banks: BankSet, out: Output) -> int:
    if args.items:
        raise ConfigurationError("rebuild takes no items")
    hashes = banks.rebuild()
    out.json({"hashes": hashes})
    out.line(f"index of {hashes} hashes built and in use", "good")
    return 0


def _log(args: argparse.Namespace, banks: BankSet, out: Output) -> int:
    if args.items:
        raise ConfigurationError("log takes no items")
    changes = banks.changes()
    out.json({"changes": [change._asdict() for change in changes]})
    rows = [
        (c.seq, _day(c.at), c.actor, c.action, c.bank, c.entry or None, c.detail or None) for c in changes
    ]
    if not rows:
        out.line("no changes")
    out.table(f"{len(rows)} changes", ("number", "at", "who", "what", "bank", "entry", "detail"), rows)
    return 0


_ACTIONS: dict[str, Callable[[argparse.Namespace, BankSet, Output], int]] = {
    "add": _add, "remove": _remove, "list": _list, "import": _import, "match": _match,
    "rebuild": _rebuild, "log": _log,
}  # fmt: skip


class _Media:
    """Files decoded in a worker process, which is started for the first one that needs it."""

    def __init__(self) -> None:
        self._decoder: Any = None

    def frames(self, data: bytes) -> Sequence[Any]:
        """The frames of a picture, uint8[height, width, 3]."""
        return [frame.pixels for frame in self._opened().picture(data).frames]

    def sound(self, data: bytes) -> Any:
        """The samples of a sound, float32[n] at 16,000 a second."""
        return self._opened().sound(data).samples

    def _opened(self) -> Any:
        if self._decoder is None:
            from spotsafe.detectors.decode.worker import WorkerDecoder

            self._decoder = WorkerDecoder()
        return self._decoder

    def __enter__(self) -> _Media:
        return self

    def __exit__(self, *_: object) -> None:
        if self._decoder is not None:
            self._decoder.close()


def _terms(args: argparse.Namespace, *, partial: bool = False) -> Terms:
    from spotsafe.detectors.match.entries import Terms
    from spotsafe.detectors.match.lists import instant

    if not partial:
        _needed(args.label, "--label")
        _needed(args.source, "--source")
    expires = instant(args.expires) if args.expires else None
    return Terms(args.label, args.source, expires, args.note, args.id)


def _needed(value: Any, option: str) -> str:
    if not value:
        raise ConfigurationError(f"{option} is needed here")
    return str(value)


def _items(args: argparse.Namespace) -> list[str]:
    if not args.items:
        raise ConfigurationError(f"name what to {args.action}; `spotsafe bank --help` shows how")
    return list(args.items)


def _day(at: float | None) -> str | None:
    return None if at is None else datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M")
