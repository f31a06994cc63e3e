"""``spotsafe models``: versions of models in a signed registry, promoted by gates, rolled back at once."""

from __future__ import annotations

import argparse
import getpass
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spotsafe.cli.actions import actions_of, add_action
from spotsafe.cli.output import Output
from spotsafe.core.clock import SystemClock
from spotsafe.core.errors import ConfigurationError, missing_extra

if TYPE_CHECKING:
    from spotsafe.cli.actions import Actions
    from spotsafe.learning.registry.registry import Registry

REGISTRY = Path("models")
ENGINES = ("text",)
"""Models whose versions the local engine can load, and a gate can therefore run."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Options of the command and of its actions."""
    actions = actions_of(parser)
    init = _action(actions, "init", "make a registry, and a key that signs it")
    init.add_argument("--new-key", type=Path, required=True, metavar="FILE", help="where the key goes")
    _action(actions, "list", "the models, their versions and stages")
    card = _action(actions, "card", "the model card of a version")
    _which(card)
    add = _action(actions, "add", "keep the files of a folder as a candidate")
    add.add_argument("name", help="the model, e.g. text")
    add.add_argument("folder", type=Path, help="the folder with its files")
    add.add_argument("--card", metavar="FILE", help="which of the files is the model card")
    add.add_argument("--recipe", default="", help="the command that made them")
    promote = _action(actions, "promote", "put a version into a stage, if it passes the gate")
    _which(promote)
    promote.add_argument("--to", choices=("shadow", "live"), required=True)
    promote.add_argument("--gate", type=Path, required=True, metavar="FILE", help="what it has to keep")
    promote.add_argument("--data", required=True, metavar="SPEC", help="the data that the gate is run on")
    promote.add_argument("--mapping", type=Path, metavar="FILE", help="how to read the data")
    promote.add_argument("--against", type=Path, metavar="RUN", help="run that the gate's `against` means")
    promote.add_argument("--out", type=Path, metavar="DIR", help="keep the run here")
    back = _action(actions, "rollback", "put the version before it into a stage again")
    back.add_argument("name", help="the model")
    back.add_argument("--stage", choices=("shadow", "live"), default="live")
    layout = _action(actions, "layout", "write the files of a version, checked, into a folder")
    _which(layout)
    layout.add_argument("folder", type=Path)
    for changing in (add, promote, back):
        changing.add_argument("--key", type=Path, required=True, metavar="FILE", help="the private key")
        changing.add_argument("--by", default=None, help="who does it (default: the user)")
    for explained in (promote, back):
        explained.add_argument("--reason", default="", help="why")


def _action(actions: Actions, name: str, about: str) -> argparse.ArgumentParser:
    action = add_action(actions, name, about)
    action.add_argument("--registry", type=Path, default=REGISTRY, metavar="DIR", help="(default: models/)")
    action.add_argument(
        "--trust", type=Path, action="append", default=[], metavar="FILE",
        help="public key that may have signed it (default: $SPOTSAFE_REGISTRY_KEY, else that of --key)",
    )  # fmt: skip
    return action


def _which(action: argparse.ArgumentParser) -> None:
    action.add_argument("name", help="the model")
    action.add_argument("which", nargs="?", default="candidate", help="version or stage (default: candidate)")


def run(args: argparse.Namespace, out: Output) -> int:
    """0, or 1 where a version did not pass its gate. Raises SpotsafeError."""
    from importlib.util import find_spec

    if find_spec("cryptography") is None:
        raise missing_extra("eval", "spotsafe models")
    return ACTIONS[args.action](args, out)


def _init(args: argparse.Namespace, out: Output) -> int:
    from spotsafe.learning.registry.keys import make_key, private_key
    from spotsafe.learning.registry.registry import Registry

    public = make_key(args.new_key)
    Registry.create(args.registry, private_key(args.new_key), clock=SystemClock())
    out.line(f"registry in {args.registry}; keep {args.new_key} secret, give {public} to all who load models")
    out.json({"registry": str(args.registry), "key": str(args.new_key), "public_key": str(public)})
    return 0


def _list(args: argparse.Namespace, out: Output) -> int:
    from spotsafe.learning.registry.index import day

    index = _opened(args).index()
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
    out.json(index.model_dump(mode="json"))
    return 0


def _card(args: argparse.Namespace, out: Output) -> int:
    registry = _opened(args)
    text = registry.card(args.name, args.which)
    out.line(text)
    out.json({"model": args.name, "version": registry.version(args.name, args.which)[0], "card": text})
    return 0


def _add(args: argparse.Namespace, out: Output) -> int:
    found = sorted(path for path in args.folder.rglob("*") if path.is_file())
    files = {path.relative_to(args.folder).as_posix(): path for path in found}
    registry = _opened(args)
    version = registry.add(args.name, files, by=_by(args), card=args.card, recipe=args.recipe)
    out.line(f"{args.name} {version} is a candidate ({len(files)} files)", "good")
    out.json({"model": args.name, "version": version, "files": len(files)})
    return 0


def _promote(args: argparse.Namespace, out: Output) -> int:
    from spotsafe.evaluation.gates.check import check_gate
    from spotsafe.evaluation.gates.model import read_gate
    from spotsafe.evaluation.runs.run import open_run
    from spotsafe.learning.registry.index import Stage

    if args.name not in ENGINES:
        raise ConfigurationError(f"no engine loads models called {args.name!r}; known: {', '.join(ENGINES)}")
    registry, gate = _opened(args), read_gate(args.gate)
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
    before = registry.promote(
        args.name,
        version,
        Stage(args.to),
        gate={**found, "version": version},
        by=_by(args),
        reason=args.reason,
    )
    out.line(f"{args.name} {version} is {args.to} (before: {before or 'none'})", "good")
    out.json({**document, "promoted": True, "before": before or None})
    return 0


def _scored(laid_out: Path, args: argparse.Namespace, folder: Path, out: Output) -> Any:
    from spotsafe.cli.eval_options import progress_of
    from spotsafe.detectors.text.engine import TextEngine
    from spotsafe.evaluation.datasets.opening import open_dataset
    from spotsafe.evaluation.runs.scoring import score

    data = open_dataset(args.data, mapping=args.mapping)
    return score(TextEngine(laid_out), data, folder, progress=progress_of(out, "scored"))


def _rollback(args: argparse.Namespace, out: Output) -> int:
    from spotsafe.learning.registry.index import Stage

    version = _opened(args).roll_back(args.name, Stage(args.stage), by=_by(args), reason=args.reason)
    out.line(f"{args.name} {version} is {args.stage} again", "good")
    out.json({"model": args.name, "version": version, "stage": args.stage})
    return 0


def _layout(args: argparse.Namespace, out: Output) -> int:
    registry = _opened(args)
    registry.lay_out(args.name, args.which, args.folder)
    version, entry = registry.version(args.name, args.which)
    out.line(f"{args.name} {version}: {len(entry.files)} files in {args.folder}", "good")
    out.json({"model": args.name, "version": version, "folder": str(args.folder)})
    return 0


def _opened(args: argparse.Namespace) -> Registry:
    from spotsafe.learning.registry.keys import private_key, public_key
    from spotsafe.learning.registry.registry import Registry

    key = private_key(args.key) if getattr(args, "key", None) else None
    named = os.environ.get("SPOTSAFE_REGISTRY_KEY", "").split(os.pathsep)
    trusted = [public_key(path) for path in args.trust or [Path(word) for word in named if word]]
    if not trusted and key is not None:
        trusted = [key.public_key()]
    if not trusted:
        raise ConfigurationError(
            "say whose signature counts: --trust FILE.pub, or SPOTSAFE_REGISTRY_KEY in the environment"
        )
    return Registry(args.registry, trusted, key=key, clock=SystemClock())


def _by(args: argparse.Namespace) -> str:
    return str(args.by or getpass.getuser())


ACTIONS = {
    "init": _init, "list": _list, "card": _card, "add": _add, "promote": _promote, "rollback": _rollback,
    "layout": _layout,
}  # fmt: skip
