"""Recipe for ``spotsafe/detectors/text/lexicon_data.json.gz``: published word lists and own phrases, graded.

``python -m spotsafe.learning.text.lexicon_recipe DATA`` reads ``lexicon_surge_profanity.jsonl.gz`` and
``lexicon_multilingual.jsonl.gz`` from *DATA* and writes the same bytes for the same input.
"""

from __future__ import annotations

import gzip
import json
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from spotsafe.detectors.text.lexicon import GRADES
from spotsafe.detectors.text.normalise import normalise

PHRASES = Path(__file__).with_name("lexicon_phrases.txt")
TARGET = Path(__file__).parents[2] / "detectors" / "text" / "lexicon_data.json.gz"
SOURCES = [
    {"name": "surge-ai/profanity", "licence": "MIT"},
    {"name": "LDNOOBW, as packaged in npm naughty-words 1.2.0", "licence": "CC-BY-4.0"},
    {"name": "cuss 2.2.0", "licence": "MIT"},
    {"name": "phrases written for spotsafe", "licence": "the project's"},
]
_SLUR_ROOTS = re.compile(
    r"nigg|n1gg|niger|kike|wetback|fagg|towelhead|gook|raghead|sandn|jiga|jigg|spic(?!e|y)|chink"
)
_EXPLICIT = re.compile(
    r"blow ?job|hand ?job|cum(?!ul|in|ber|mer)|creampie|dildo|deep ?throat|gang ?bang|jizz|anal\b|penis"
    r"|vagina|porn"
    r"|masturbat|orgasm|jerk.?off|boner|fellat|cunniling|ejacul|titt|pussy|clit|orgy|rimjob|ballsack|erection"
)
_WOMEN = re.compile(r"slut|whore|skank|cumdump|\bhoes?\b|\bcunts?\b|bimbo")
# Ordinary words in the lists that would only make noise, in any language.
_ORDINARY = frozenset(
    [
        *(
            "crow",
            "crows",
            "buttermilk",
            "knickers",
            "nicker",
            "greaser",
            "greasers",
            "coolie",
            "abbie",
            "cooties",
        ),
        *("swine", "dolt", "tart", "ecchi", "domination", "shrimping", "santorum", "spastic", "intercourse"),
        *(
            "sexuality",
            "escort",
            "sado",
            "tosser",
            "hun",
            "niger",
            "paddy",
            "cajones",
            "nonce",
            "doggo",
            "scut",
        ),
        *(
            "diddle",
            "dipstick",
            "bastinado",
            "como",
            "poly",
            "ero",
            "faire",
            "merde alors",
            "am",
            "con",
            "comer",
        ),
        *(
            "vino",
            "amador",
            "aborto",
            "cerveja",
            "aranha",
            "saco",
            "pinto",
            "inferno",
            "homem",
            "mama",
            "lolita",
        ),
        *(
            "suck",
            "sucks",
            "hooker",
            "pedo",
            "busty",
            "girl",
            "bloody",
            "kinky",
            "sod",
            "hotsex",
            "big black",
        ),
        *("hard core", "strip club", "how to murder", "girl on", "apeshit"),
    ]
)
# Words that are also names, animals or body parts: weak, whatever a list says.
_AT_MOST_WEAK = frozenset(
    ("dick", "dicks", "cock", "cocks", "ass", "tit", "tits", "fan", "fanny", "knob", "snatch")
)


class Table:
    """Term → languages, flags and the best grade per label."""

    def __init__(self) -> None:
        self.languages: dict[str, set[str]] = {}
        self.flags: dict[str, set[str]] = {}
        self.labels: dict[str, dict[str, str]] = {}
        self.gapped: list[list[object]] = []

    def add(self, text: str, languages: Iterable[str], labels: dict[str, str], *flags: str) -> None:
        """Enter *text* as matching sees it; too short or letterless ones are left out."""
        key = normalise(text).text.strip()
        if key in _ORDINARY and "own" not in flags:
            return
        if key in _AT_MOST_WEAK:
            labels = dict.fromkeys(labels, "weak")
        letters = sum(char.isalpha() for char in key)
        if letters < (2 if any(char > "\u1000" for char in key) or "own" in flags else 3):
            return
        self.languages.setdefault(key, set()).update(languages)
        self.flags.setdefault(key, set()).update(flag for flag in flags if flag != "own")
        best = self.labels.setdefault(key, {})
        for label, grade in labels.items():
            if GRADES.index(grade) > GRADES.index(best.get(label, "weak")) or label not in best:
                best[label] = grade

    def rows(self) -> list[list[object]]:
        """The terms, sorted."""
        return [
            [key, ",".join(sorted(self.languages[key])), " ".join(sorted(self.flags[key])), self.labels[key]]
            for key in sorted(self.labels)
        ]


def expand(pattern: str) -> list[str]:
    """All strings that a phrase pattern stands for: ``(a|b|)``, ``[ab]``, ``x?`` and ``\\`` escapes."""
    found, rest = _alternatives(pattern, 0)
    if rest != len(pattern):
        raise ValueError(f"unbalanced parenthesis in phrase {pattern!r}; write \\) for a literal one")
    return list(dict.fromkeys(found))


def _alternatives(pattern: str, at: int) -> tuple[list[str], int]:
    done: list[str] = []
    heads = [""]
    while at < len(pattern) and pattern[at] != ")":
        if pattern[at] == "|":
            done, heads, at = done + heads, [""], at + 1
            continue
        atoms, at = _atom(pattern, at)
        if pattern[at : at + 1] == "?":
            atoms, at = ["", *atoms], at + 1
        heads = [head + atom for head in heads for atom in atoms]
    return done + heads, at


def _atom(pattern: str, at: int) -> tuple[list[str], int]:
    if pattern[at] == "(":
        inner, at = _alternatives(pattern, at + 1)
        return inner, at + 1
    if pattern[at] == "\\":
        return [pattern[at + 1]], at + 2
    end = pattern.find("]", at)
    if pattern[at] == "[" and end > at and pattern[at + 1] != "/":
        return list(pattern[at + 1 : end]), end + 1
    return [pattern[at]], at + 1


def add_phrases(table: Table, lines: Iterable[str]) -> None:
    """Enter the phrases written for spotsafe."""
    section: list[str] = []
    for line in map(str.strip, lines):
        if not line or line.startswith("#"):
            continue
        header = re.fullmatch(r"\[(benign|[a-z_]+\.[a-z_]+ (?:strong|medium|weak) [a-zA-Z,-]+)\]", line)
        if header:
            section = header[1].split()
        elif section == ["benign"]:
            for text in expand(line):
                table.add(text, ["*"], {}, "benign", "own")
        else:
            _add_phrase(table, line, section)


def _add_phrase(table: Table, line: str, section: list[str]) -> None:
    label, grade, spoken = section
    languages, labels = spoken.split(","), {label: grade}
    if " … " in line:
        number = len(table.gapped)
        table.gapped.append([spoken, labels])
        for side, part in zip(("first", "second"), line.split(" … "), strict=True):
            for text in expand(part):
                table.add(text, languages, {}, f"{side}:{number}", "own")
        return
    for text in expand(line):
        stem = text.endswith("*") and not text.endswith("**")
        masks = _masked(text, grade) if languages == ["en"] and label == "tone.profanity" else ()
        for form in (*_forms(text.rstrip("*") if stem else text), *masks):
            table.add(form, languages, labels, *(("stem", "own") if stem else ("own",)))


def _forms(text: str) -> Iterator[str]:
    """The phrase, and without apostrophes as people type it."""
    yield text
    if "'" in text:
        yield text.replace("'", "")


def add_surge(table: Table, rows: Iterable[dict[str, object]]) -> None:
    """Enter surge-ai/profanity: severity gives the grade, categories give the labels."""
    for row in rows:
        extra = row["extra"]
        if not isinstance(extra, dict) or str(row["text"]).lower() in _ORDINARY:
            continue
        text, severity = str(row["text"]), float(extra["severity"])
        grade = "strong" if severity >= 2.0 else "medium" if severity >= 1.4 else "weak"
        labels = {"tone.profanity": grade}
        kinds = " ".join(extra["categories"])
        roots = " ".join([text.lower(), *extra["canonical"]])
        if "racial" in kinds:
            strong = severity >= 2.8 and _SLUR_ROOTS.search(roots) is not None
            labels["hate.speech"] = "strong" if strong else "medium" if severity >= 2.4 else "weak"
        elif re.search(r"fag|tranny|shemale|dyke", roots):
            labels["hate.speech"] = "medium" if severity >= 2.4 else "weak"
        if _EXPLICIT.search(roots):
            labels["sexual.explicit"] = "medium" if severity >= 1.8 else "weak"
        if _WOMEN.search(roots):
            labels["hate.against_women"] = "weak"
        for form in _masked(text, grade):
            table.add(form, ["en"], labels)


def _masked(text: str, grade: str) -> Iterator[str]:
    """The word, and with its first vowel starred out where it is strong enough to be recognised so."""
    yield text
    if grade == "strong" and text.isalpha() and len(text) >= 4:
        masked = re.sub("[aeiou]", "*", text.lower(), count=1)
        if masked != text:
            yield masked


def add_multilingual(table: Table, rows: Iterable[dict[str, object]]) -> None:
    """Enter LDNOOBW and cuss. Both are full of ordinary sexual vocabulary: weak, or medium where both
    lists agree and cuss is sure; what cuss doubts is left out."""
    listed: dict[tuple[str, str], set[object]] = {}
    for row in rows:
        extra = row["extra"]
        if isinstance(extra, dict) and str(row["text"]).lower() not in _ORDINARY:
            key = (str(row["text"]).lower(), str(row["lang"]))
            listed.setdefault(key, set()).add(extra.get("sureness", "ldnoobw"))
    for (text, language), marks in listed.items():
        if marks & {0, 1}:
            continue
        sexual = _EXPLICIT.search(text) is not None
        labels = {"tone.profanity": "medium" if marks == {2, "ldnoobw"} and not sexual else "weak"}
        if sexual:
            labels["sexual.explicit"] = "weak"
        table.add(text, [language.split("-")[0]], labels)


def render(data: Path) -> bytes:
    """The packaged file's bytes."""
    table = Table()
    add_surge(table, _rows(data / "lexicon_surge_profanity.jsonl.gz"))
    add_multilingual(table, _rows(data / "lexicon_multilingual.jsonl.gz"))
    add_phrases(table, PHRASES.read_text(encoding="utf-8").splitlines())
    about = "Generated by spotsafe/learning/text/lexicon_recipe.py; contains offensive words; do not edit."
    packed = {"about": about, "sources": SOURCES, "gapped": table.gapped, "terms": table.rows()}
    text = json.dumps(packed, ensure_ascii=False, separators=(",", ":"))
    return gzip.compress(text.encode("utf-8"), compresslevel=9, mtime=0)


def _rows(path: Path) -> Iterator[dict[str, object]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def main(arguments: list[str]) -> int:
    """Write the packaged file; *arguments* hold the data folder."""
    if len(arguments) != 1 or not Path(arguments[0]).is_dir():
        sys.stderr.write("usage: python -m spotsafe.learning.text.lexicon_recipe DATA\n")
        return 2
    TARGET.write_bytes(render(Path(arguments[0])))
    sys.stdout.write(f"{TARGET} {TARGET.stat().st_size} bytes\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
