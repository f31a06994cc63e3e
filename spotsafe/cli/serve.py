"""``spotsafe serve``: run the central service, or make a key for it."""

from __future__ import annotations

import argparse
import io
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from spotsafe.cli.output import Output
from spotsafe.cli.registry_options import add_trust, reader_of
from spotsafe.core.errors import ConfigurationError, missing_extra

if TYPE_CHECKING:
    from spotsafe.service.serve import Engine

DEFAULT_PORT = 8080
DEFAULT_DATA_DIR = Path("spotsafe-data")


def configure(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    from spotsafe.service.keys import SCOPES

    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen on; loopback only without keys"
    )
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help="port; 0 takes a free one")
    parser.add_argument(
        "--data-dir", type=Path, default=DEFAULT_DATA_DIR, help="folder of the store, made with mode 0700"
    )
    parser.add_argument("--api-keys", type=Path, metavar="FILE", help="keys that callers must present")
    parser.add_argument(
        "--manifests", type=Path, metavar="DIR", help="manifests to serve as the policy bundle"
    )
    parser.add_argument(
        "--banks", type=Path, metavar="DIR", help="known media to look for; spotsafe bank fills it"
    )
    parser.add_argument(
        "--shadow", type=Path, metavar="DIR", help="text weights to ask beside the live ones and compare"
    )
    parser.add_argument(
        "--registry", type=Path, metavar="DIR",
        help="registry of models: answer with the text weights that are live in it, and ask those in shadow "
        "beside them",
    )  # fmt: skip
    add_trust(parser)
    parser.add_argument("--quiet", action="store_true", help="log warnings and errors only")
    keys = parser.add_argument_group("keys")
    keys.add_argument(
        "--new-key", metavar="NAME", help="append a key for the application NAME to FILE, print it once, end"
    )
    keys.add_argument(
        "--scope",
        action="append",
        choices=SCOPES,
        help="what the new key may do; repeat it (detect and events where not given)",
    )


def run(args: argparse.Namespace, out: Output) -> int:
    """Serve until stopped, or make one key. Raises ConfigurationError and ManifestError."""
    if not 0 <= args.port <= 65_535:
        raise ConfigurationError("--port is a number from 0 to 65535")
    if any(find_spec(name) is None for name in ("starlette", "uvicorn", "sqlalchemy")):
        raise missing_extra("server", "spotsafe serve")
    if args.new_key is not None:
        return _new_key(args, out)
    if args.scope:
        raise ConfigurationError("--scope is for --new-key NAME")
    return _serve(args, out)


def _new_key(args: argparse.Namespace, out: Output) -> int:
    from spotsafe.service.keys import add_key

    if args.api_keys is None:
        raise ConfigurationError("--new-key needs --api-keys FILE, the file that the key's hash goes to")
    scopes = args.scope or ["detect", "events"]
    key = add_key(args.api_keys, args.new_key, scopes)
    out.json({"application": args.new_key, "scopes": scopes, "key": key})
    out.line(key)
    if not args.json:
        out.error(f"Keep it now: only its hash is in {args.api_keys}.")
    return 0


def _serve(args: argparse.Namespace, out: Output) -> int:
    import logging

    from spotsafe.service.serve import log_to, serve

    made_of = _engine(args)
    undo = log_to(sys.stderr, logging.WARNING if args.quiet else logging.INFO)
    # With --json the line that names the address is the document's content, printed once it listens.
    said = _Said(out) if out.as_json else None
    try:
        code = serve(
            args.host, args.port, args.data_dir, args.api_keys,
            manifests=args.manifests, made_of=made_of, out=said,
        )  # fmt: skip
    finally:
        undo()
    if said is not None and not said.text:
        out.json({"error": "the service did not start; its log says why"})
    return code


def _engine(args: argparse.Namespace) -> Engine:
    """What the service's engine is made of. Text weights of a registry are checked and written below the data
    directory, where they stay for as long as they are what the registry says."""
    from spotsafe.service.serve import Engine

    if args.registry is None:
        given = {"--trust": args.trust, "--state": args.state, "--least-serial": args.least_serial}
        for option, value in given.items():
            if value:
                raise ConfigurationError(f"{option} is for --registry DIR")
        return Engine(args.shadow, args.banks)
    reader, folder = reader_of(args), args.data_dir / "models"
    live, shadow = reader.kept("text", "live", folder), args.shadow
    registered = {"live": reader.version("text", "live")[0]}
    if shadow is None and "shadow" in reader.model("text").stages:
        beside = reader.kept("text", "shadow", folder)
        if beside != live:
            shadow, registered["shadow"] = beside, reader.version("text", "shadow")[0]
    return Engine(shadow, args.banks, live, registered)


class _Said(io.StringIO):
    """What a service says of itself, as one JSON document."""

    def __init__(self, out: Output) -> None:
        super().__init__()
        self._document = out
        self.text = ""

    def write(self, text: str) -> int:
        """Print the first line as the document."""
        if not self.text:
            self.text = text.strip()
            self._document.json({"said": self.text, "url": self.text.rpartition(" ")[2]})
            sys.stdout.flush()
        return len(text)
