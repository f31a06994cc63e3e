"""``spotsafe models``: versions of models in a signed registry, promoted by gates, rolled back at once."""

from __future__ import annotations

import argparse
import getpass
import tempfile
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING

from spotsafe.cli.actions import actions_of, add_action
from spotsafe.cli.output import Output
from spotsafe.cli.registry_options import REGISTRY, add_trust, needed, reader_of, registry_of, seen_of
from spotsafe.core.clock import SystemClock
from spotsafe.core.errors import ConfigurationError

if TYPE_CHECKING:
    from spotsafe.cli.actions import Actions
    from spotsafe.evaluation.runs.run import ScoredRun

ENGINES = ("text",)
"""Models whose versions the local engine can load, and a gate can therefore run."""

CARDS = "called model-card*.md"
DAY = 86_400.0
SOON = 30 * DAY
"""Seconds before an index runs out from which on it is said."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of the command and of its actions."""
    actions = actions_of(parser)
    key = add_action(actions, "key", "make a key that signs registries, to replace another")
    key.add_argument("file", type=Path, help="where the private key goes; the public one beside it")
    init = _action(actions, "init", "make a registry, and a key that signs it")
    init.add_argument("--new-key", type=Path, required=True, metavar="FILE", help="where the key goes")
    _valid_days(init)
    _action(actions, "list", "the models, their versions and stages")
    _which(_action(actions, "card", "the model card of a version"))
    layout = _action(actions, "layout", "write the files of a version, checked, into a folder")
    _which(layout)
    layout.add_argument("folder", type=Path)
    accept = _action(actions, "accept", "take an index that goes back, after a deliberate restore")
    accept.add_argument("--serial", type=int, required=True, metavar="N", help="the number of the index")
    _who_and_why(accept)
    _configure_changes(actions)


def _configure_changes(actions: Actions) -> None:
    add = _action(actions, "add", "keep the files of a folder as a candidate", changes=True)
    add.add_argument("name", help="the model, e.g. text")
    add.add_argument("folder", type=Path, help="the folder with its files")
    add.add_argument("--card", metavar="FILE", help=f"which is the model card (default: the one {CARDS})")
    add.add_argument("--recipe", default="", help="the command that made them")
    add.add_argument("--by", default=None, help="who does it (default: the user)")
    promote = _action(actions, "promote", "put a version into a stage, if it passes the gate", changes=True)
    _which(promote)
    promote.add_argument("--to", choices=("shadow", "live"), required=True)
    promote.add_argument("--gate", type=Path, required=True, metavar="FILE", help="what it has to keep")
    promote.add_argument("--data", required=True, metavar="SPEC", help="the data that the gate is run on")
    promote.add_argument("--mapping", type=Path, metavar="FILE", help="how to read the data")
    promote.add_argument("--against", type=Path, metavar="RUN", help="run that the gate's `against` means")
    promote.add_argument("--out", type=Path, metavar="DIR", help="keep the run here")
    _who_and_why(promote)
    back = _action(actions, "rollback", "put the version before it into a stage again", changes=True)
    back.add_argument("name", help="the model")
    back.add_argument("--stage", choices=("shadow", "live"), default="live")
    _who_and_why(back)
    renew = _action(
        actions, "renew", "sign the index anew before it runs out, or with another key", changes=True
    )
    _valid_days(renew)


def _action(actions: Actions, name: str, about: str, *, changes: bool = False) -> argparse.ArgumentParser:
    action = add_action(actions, name, about)
    action.add_argument("--registry", type=Path, default=REGISTRY, metavar="DIR", help="(default: models/)")
    if changes:
        action.add_argument("--key", type=Path, required=True, metavar="FILE", help="the private key")
    add_trust(action)
    return action


def _which(action: argparse.ArgumentParser) -> None:
    action.add_argument("name", help="the model")
    action.add_argument("which", nargs="?", default="candidate", help="version or stage (default: candidate)")


def _who_and_why(action: argparse.ArgumentParser) -> None:
    action.add_argument("--by", default=None, help="who does it (default: the user)")
    action.add_argument("--reason", default="", help="why")


def _valid_days(action: argparse.ArgumentParser) -> None:
    action.add_argument(
        "--valid-days", type=float, metavar="DAYS",
        help="how long the index counts after each change (default: as before; 180 for a new one)",
    )  # fmt: skip


def run(args: argparse.Namespace, out: Output) -> int:
    """0, or 1 where a version did not pass its gate. Raises SpotsafeError."""
    needed()
    return ACTIONS[args.action](args, out)


def _key(args: argparse.Namespace, out: Output) -> int:
    from spotsafe.learning.registry.keys import make_key

    public = make_key(args.file)
    out.line(f"keep {args.file} secret; once {public} is trusted wherever models are loaded:")
    out.line(f"spotsafe models renew --key {args.file} --trust PUBLIC_KEY_UNTIL_NOW")
    out.json({"key": str(args.file), "public_key": str(public)})
    return 0


def _init(args: argparse.Namespace, out: Output) -> int:
    from spotsafe.learning.registry.index import VALID_FOR
    from spotsafe.learning.registry.keys import make_key, private_key
    from spotsafe.learning.registry.registry import Registry

    public = make_key(args.new_key)
    valid_for = _valid_for(args) or VALID_FOR
    key, clock, seen = private_key(args.new_key), SystemClock(), seen_of(args)
    Registry.create(args.registry, key, clock=clock, seen=seen, valid_for=valid_for)
    out.line(f"registry in {args.registry}; keep {args.new_key} secret, give {public} to all who load models")
    out.json({"registry": str(args.registry), "key": str(args.new_key), "public_key": str(public)})
    return 0


def _list(args: argparse.Namespace, out: Output) -> int:
    from spotsafe.learning.registry.index import day

    index = reader_of(args).index()
    rows = []
    for name, model in sorted(index.models.items()):
        for version, entry in sorted(model.versions.items(), key=lambda item: -item[1].added):
            stages = [stage.value for stage, found in model.stages.items() if found == version]
            rows.append((name, version, ", ".join(stages), day(entry.added), len(entry.files), entry.recipe))
    out.table("Models", ("model", "version", "stage", "added (UTC)", "files", "made by"), rows)
    moves = [(day(move.at), name, move) for name, model in index.models.items() for move in model.history]
    out.table(
        "History", ("when (UTC)", "model", "what", "version", "stage", "by", "why"),
        [(at, name, m.action, m.version, m.stage.value, m.by, m.reason) for at, name, m in sorted(
            moves, key=lambda entry: entry[2].at)],
    )  # fmt: skip
    if not rows:
        out.line("The registry is empty: spotsafe models add NAME FOLDER --key FILE")
    soon = index.expires - SystemClock.now() < SOON
    remedy = "; spotsafe models renew --key FILE makes it good for longer" if soon else ""
    out.line(f"Index {index.serial}, good until {day(index.expires)} UTC{remedy}", "warn" if soon else "dim")
    out.json(index.model_dump(mode="json"))
    return 0


def _card(args: argparse.Namespace, out: Output) -> int:
    registry = reader_of(args)
    text = registry.card(args.name, args.which)
    out.line(text)
    out.json({"model": args.name, "version": registry.version(args.name, args.which)[0], "card": text})
    return 0


def _add(args: argparse.Namespace, out: Output) -> int:
    found = sorted(path for path in args.folder.rglob("*") if path.is_file())
    files = {path.relative_to(args.folder).as_posix(): path for path in found}
    cards = [name for name in files if fnmatch(name.rpartition("/")[2], "model-card*.md")]
    card = args.card or (cards[0] if len(cards) == 1 else None)
    version = registry_of(args).add(args.name, files, by=_by(args), card=card, recipe=args.recipe)
    out.line(f"{args.name} {version} is a candidate ({len(files)} files, card: {card or 'none'})", "good")
    out.json({"model": args.name, "version": version, "files": len(files), "card": card})
    return 0


def _promote(args: argparse.Namespace, out: Output) -> int:
    from spotsafe.evaluation.gates.check import check_gate
    from spotsafe.evaluation.gates.model import read_gate
    from spotsafe.evaluation.runs.run import open_run
    from spotsafe.learning.registry.index import Stage

    if args.name not in ENGINES:
        raise ConfigurationError(f"no engine loads models called {args.name!r}; known: {', '.join(ENGINES)}")
    registry, gate = registry_of(args), read_gate(args.gate)
    version, _ = registry.version(args.name, args.which)
    with tempfile.TemporaryDirectory(prefix="spotsafe-models-") as scratch:
        laid_out = registry.lay_out(args.name, version, Path(scratch) / "model")
        run = _scored(laid_out, args, args.out or Path(scratch) / "run", out)
        against = None if args.against is None else open_run(args.against)
        result = check_gate(gate, run, against=against)
    found = result.to_json()
    out.table(
        f"Gate {args.gate}", ("requirement", "kept", "found"),
        [(r.requirement, r.passed, r.found) for r in result.results],
    )  # fmt: skip
    document = {"model": args.name, "version": version, "stage": args.to, "gate": found}
    if not result.passed:
        out.line(f"{args.name} {version} did not pass its gate; nothing was changed", "bad")
        out.json({**document, "promoted": False})
        return 1
    evidence = {
        **found,
        "version": version,
        "data": {run.meta.dataset: run.meta.digest},
        "rows": run.meta.rows,
    }
    before = registry.promote(
        args.name, version, Stage(args.to), gate=evidence, by=_by(args), reason=args.reason
    )
    out.line(f"{args.name} {version} is {args.to} (before: {before or 'none'})", "good")
    out.json({**document, "promoted": True, "before": before or None})
    return 0


def _scored(laid_out: Path, args: argparse.Namespace, folder: Path, out: Output) -> ScoredRun:
    from spotsafe.cli.eval_options import progress_of
    from spotsafe.detectors.text.engine import TextEngine
    from spotsafe.evaluation.datasets.opening import open_dataset
    from spotsafe.evaluation.runs.scoring import score

    data = open_dataset(args.data, mapping=args.mapping)
    return score(TextEngine(laid_out), data, folder, progress=progress_of(out, "scored"))


def _rollback(args: argparse.Namespace, out: Output) -> int:
    from spotsafe.learning.registry.index import Stage

    version = registry_of(args).roll_back(args.name, Stage(args.stage), by=_by(args), reason=args.reason)
    out.line(f"{args.name} {version} is {args.stage} again", "good")
    out.json({"model": args.name, "version": version, "stage": args.stage})
    return 0


def _renew(args: argparse.Namespace, out: Output) -> int:
    from spotsafe.learning.registry.index import day

    index = registry_of(args).renew(valid_for=_valid_for(args))
    out.line(f"index {index.serial} is good until {day(index.expires)} UTC", "good")
    out.json({"serial": index.serial, "expires": index.expires})
    return 0


def _accept(args: argparse.Namespace, out: Output) -> int:
    before = reader_of(args).accept(args.serial, by=_by(args), reason=args.reason)
    out.line(f"index {args.serial} is taken (seen before: {before or 'none'})", "good")
    out.json({"serial": args.serial, "before": before})
    return 0


def _layout(args: argparse.Namespace, out: Output) -> int:
    registry = reader_of(args)
    version, entry = registry.version(args.name, args.which)
    registry.lay_out(args.name, version, args.folder)
    out.line(f"{args.name} {version}: {len(entry.files)} files in {args.folder}", "good")
    out.json({"model": args.name, "version": version, "folder": str(args.folder)})
    return 0


def _valid_for(args: argparse.Namespace) -> float | None:
    if args.valid_days is None:
        return None
    from spotsafe.learning.registry.index import MOST_VALID

    if not 0 < args.valid_days * DAY <= MOST_VALID:
        raise ConfigurationError(f"--valid-days is a number above 0, of at most {MOST_VALID / DAY:.0f} days")
    return float(args.valid_days * DAY)


def _by(args: argparse.Namespace) -> str:
    return str(args.by or getpass.getuser())


ACTIONS = {
    "key": _key, "init": _init, "list": _list, "card": _card, "add": _add, "promote": _promote,
    "rollback": _rollback, "renew": _renew, "accept": _accept, "layout": _layout,
}  # fmt: skip
