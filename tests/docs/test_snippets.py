"""What the documentation shows works as shown."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from spotsafe._version import __version__
from spotsafe.cli.main import COMMANDS, parser

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^```(\w+)[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(page: Path, language: str) -> list[str]:
    return [body for found, body in FENCE.findall(page.read_text()) if found == language]


@pytest.mark.parametrize("page", [p for p in PAGES if blocks(p, "python")], ids=lambda p: p.name)
def test_python_blocks_of_a_page_run_in_order(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
) -> None:
    """The blocks of one page share a namespace, as a reader would type them."""
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {"__name__": "__snippet__"}
    for number, body in enumerate(blocks(page, "python"), 1):
        exec(compile(body, f"{page.name}#{number}", "exec"), namespace)


def commands() -> list[tuple[str, str]]:
    shown = []
    for page in PAGES:
        for body in blocks(page, "console"):
            for line in re.sub(r"\\\n\s*", " ", body).splitlines():
                for part in re.split(r"&&|\|\|?|;", line.removeprefix("$ ").split("  #")[0]):
                    if line.startswith("$ ") and part.strip().startswith("spotsafe "):
                        shown.append((page.name, part.strip()))
    return shown


@pytest.mark.parametrize(("page", "command"), commands())
def test_commands_shown_exist_with_these_options(page: str, command: str) -> None:
    """Each command line in the documentation is accepted by the parser."""
    words = shlex.split(command.split(">", maxsplit=1)[0])[1:]
    if words == ["--version"]:
        return
    assert words[0] in COMMANDS
    parser(words[0]).parse_args(words)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    """Relative links and their anchors exist."""
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        linked = (page.parent / path) if path else page
        assert linked.exists(), f"{page.name} links to {target}"
        if anchor:
            headings = re.findall(r"^#+ (.+)$", linked.read_text(), re.MULTILINE)
            slugs = {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}
            assert anchor in slugs, f"{page.name} links to {target}"


def test_the_changelog_heads_with_this_version() -> None:
    """The first version of the changelog is the package's."""
    first = re.search(r"^## (\S+)", (ROOT / "docs" / "changelog.md").read_text(), re.MULTILINE)
    assert first is not None
    assert first.group(1) == __version__


def test_every_command_is_documented() -> None:
    """Each command of the parser appears in the documentation."""
    everything = "\n".join(page.read_text() for page in PAGES)
    for command in COMMANDS:
        assert re.search(rf"`[^`\n]*\b{command}\b", everything), command
