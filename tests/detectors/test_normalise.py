"""Normalisation: disguises are undone, languages stay, offsets lead back to the original."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from spotsafe.detectors.text.normalise import Normalised, normalise

DISGUISES = [
    ("ASCII case", "KiLL", "kill"),
    ("full width", "ｋｉｌｌ", "kill"),
    ("mathematical letters", "𝓀𝒾𝓁𝓁", "kill"),
    ("circled letters", "Ⓚⓘⓛⓛ", "kill"),
    ("letters on dark squares", "🅺🅸🅻🅻", "kill"),
    ("small capitals", "ᴋɪʟʟ", "kill"),
    ("zero width", "k\u200bi\u200dl\ufeffl", "kill"),
    ("soft hyphens", "ki\u00adll", "kill"),
    ("controls", "ki\x00l\x08l", "kill"),
    ("blank letters", "ki\u3164ll", "kill"),
    ("direction marks", "\u202ekill\u202c", "kill"),
    ("stacked marks", "k̷̛̈i̴̢l̸̨l̶", "kill"),
    ("struck through", "k̶i̶l̶l̶", "kill"),
    ("Cyrillic in Latin", "stupіd", "stupid"),
    ("faux Cyrillic", "viяus", "virus"),
    ("Greek in Latin", "pαrκ", "park"),
    ("accents among look-alikes", "vïrцś", "virus"),
    ("a word wholly of look-alikes", "ѕех", "sex"),
    ("capitals wholly of look-alikes", "ВІТ", "bit"),
    ("leet", "k1ll h4te", "kill hate"),
    ("leet at the end", "h3ll0", "hello"),
    ("dollar for s", "a$$ $hit", "ass shit"),
    ("exclamation mark for i", "sh!t!", "shit!"),
    ("dots", "k.i.l.l", "kill"),
    ("hyphens", "k-i-l-l", "kill"),
    ("stars with blanks", "k * i * l * l", "kill"),
    ("blanks", "k i l l", "kill"),
    ("words spelt apart", "k i l l  y o u", "kill you"),
    ("stretched", "killlllll", "kill"),
    ("stretched look-alikes", "kііііll", "kiill"),
    ("tag characters", "x\U000e0048\U000e0069", "xhi"),
    ("white space", "kill\n\n\tyou", "kill you"),
]

UNCHANGED = [
    ("Russian", "привет, сор и осы"),
    ("Greek", "καλημέρα ο κόσμος"),
    ("German", "schöne grüße"),
    ("French", "ça va très bien, œuvre"),
    ("Vietnamese", "tiếng việt rất đẹp"),
    ("Turkish", "ılık çay"),
    ("Polish", "zażółć gęślą jaźń"),
    ("Hindi", "नमस्ते दुनिया, क्षत्रिय"),
    ("Arabic with vowels", "السَّلامُ عَلَيْكُم"),
    ("Persian half space", "می\u200cخواهم"),
    ("Hebrew points", "שָׁלוֹם"),
    ("Thai", "สวัสดีครับ"),
    ("Korean", "안녕하세요"),
    ("Japanese", "ガンダムが好き"),
    ("Chinese", "你好,世界"),
    ("emoji", "👨\u200d👩\u200d👧 👍🏽 🇩🇪"),
    ("e-mail", "write to j0hn@ex4mple.com"),
    ("web address", "https://ex4mple.com/a1b"),
    ("prices", "$100, 5$ or 3.50"),
    ("ordinals and formats", "1st 2nd 3rd mp3 4k covid19 b2b ps5 90s"),
    ("durations", "3h15min and 1h30m"),
    ("mention", "@alice hi"),
    ("www", "www.example.org"),
    ("two letters apart", "plan b or c"),
    ("abbreviation", "e.g. at 5 p.m. today"),
]


@pytest.mark.parametrize(("text", "plain"), [row[1:] for row in DISGUISES], ids=[row[0] for row in DISGUISES])
def test_disguise_is_undone(text: str, plain: str) -> None:
    """Each known disguise yields the plain word."""
    assert normalise(text).text == plain


@pytest.mark.parametrize("text", [row[1] for row in UNCHANGED], ids=[row[0] for row in UNCHANGED])
def test_ordinary_text_stays(text: str) -> None:
    """Languages, numbers and addresses come through as they are."""
    assert normalise(text).text == text


@pytest.mark.parametrize("text", [row[1] for row in DISGUISES], ids=[row[0] for row in DISGUISES])
def test_span_covers_the_disguised_word(text: str) -> None:
    """The whole of a disguised word in a sentence maps to the whole of what was written."""
    before, after = "well, ", " today"
    view = normalise(before + text + after)
    start = view.text.index(normalise(text).text)
    found = view.span(start, start + len(normalise(text).text))
    covered = (before + text + after)[slice(*found)]
    visible = [c for c in text if c.isalnum()]
    assert [c for c in covered if c.isalnum()] == visible
    assert found[0] >= len(before) - 1
    assert found[1] <= len(before) + len(text) + 1


VISIBLE = (
    "a aa lll k . - * 1 0 $ @ ! www .com / :// "
    "é і ж А Н σ Σ Ω Ѕ ß İ ﬁ ｋ 👍 각 ｶ ﾞ न ् ſ ı µ ᴋ 🅰 Ꭰ ꭰ ŉ ǰ ﷺ 2 6 ( ' ’ – “"
)
BLANK = [" ", "  ", "\n", "\u200b", "\u200d", "\x00", "\u3164", "\u202e", "\u2028", "\ud800", "\U000e0041"]
CLINGING = ["e\u0301", "\u0336", "\u0308", "\u034f", "\u0345", "\u1100", "\u1161", "\u11a8"]
PIECES = st.sampled_from([*VISIBLE.split(), *BLANK, *CLINGING])
TEXTS = st.one_of(st.text(), st.text(st.characters()), st.lists(PIECES, max_size=24).map("".join))


@given(TEXTS)
@example("a b  c d")
@example("a. b. c  d e f")
@example("wwww.x1y")
@example("ЅΣ.A")
@example("ΣÞ")
@example("Ɡ")
@example("А А Э")
def test_normalising_twice_changes_nothing(text: str) -> None:
    """The view of the view is the view."""
    once = normalise(text).text
    assert normalise(once).text == once


@given(TEXTS)
def test_offsets_are_monotone_and_within_bounds(text: str) -> None:
    """Every character maps into the original, in order; the whole view covers up to its end."""
    view = normalise(text)
    spans = [view.span(i, i + 1) for i in range(len(view.text))]
    assert all(0 <= start < end <= len(text) for start, end in spans)
    assert all(a[0] <= b[0] and a[1] <= b[1] for a, b in pairwise(spans))
    if view.text:
        assert view.span(0, len(view.text))[1] == len(text)


@given(TEXTS, st.integers(-3, 40), st.integers(-3, 40))
def test_any_range_is_clamped(text: str, start: int, end: int) -> None:
    """Offsets outside the view never raise and never lead outside the original."""
    low, high = normalise(text).span(start, end)
    assert 0 <= low <= high <= len(text)


@given(TEXTS)
def test_view_can_be_encoded(text: str) -> None:
    """Lone surrogates do not reach matchers that work on UTF-8."""
    normalise(text).text.encode("utf-8")


REPEATED = [
    "a",
    "a ",
    "a.",
    "a1",
    "k.i.l.l ",
    "1$",
    "é",
    "e\u0301",
    "і",
    "aі ",
    "\u0301",
    "ｋ",
    "  ",
    "@",
    "🅰",
    " . a",
]


@pytest.mark.parametrize("piece", REPEATED)
def test_a_megabyte_of_anything_is_read(piece: str) -> None:
    """Long repetitive texts are worked through and still map to their end."""
    text = piece * (1_000_000 // len(piece))
    view = normalise(text)
    assert len(view.text) <= len(text)
    assert view.span(len(view.text), len(view.text)) == (len(text), len(text))


def test_stretched_positions_point_at_the_second_letter() -> None:
    """A matcher can find where a run was cut."""
    view = normalise("fuuuun and coooool")
    assert [view.text[i - 1 : i + 1] for i in view.stretched] == ["uu", "oo"]


def test_repr_shows_no_content() -> None:
    """The view's repr gives lengths only."""
    assert "canary" not in repr(normalise("canary")) + repr(Normalised("canary", length=6))
