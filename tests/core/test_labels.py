"""The taxonomy: total projections, known codes of other schemes, patterns."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotsafe.core.content import KINDS
from spotsafe.core.decision import Disposition, Effect
from spotsafe.core.labels import (
    DEFAULT_ACTIONS,
    LABELS,
    OPENAI_CATEGORIES,
    default_action,
    dsa,
    expand,
    matching,
    specificity,
)
from spotsafe.core.taxonomy import TAXONOMY

# The enumerations of the EU's schema for statements of reasons (DSA transparency database), as published.
DSA_CATEGORIES = frozenset(
    [
        "STATEMENT_CATEGORY_ANIMAL_WELFARE",
        "STATEMENT_CATEGORY_CONSUMER_INFORMATION",
        "STATEMENT_CATEGORY_CYBER_VIOLENCE",
        "STATEMENT_CATEGORY_CYBER_VIOLENCE_AGAINST_WOMEN",
        "STATEMENT_CATEGORY_DATA_PROTECTION_AND_PRIVACY_VIOLATIONS",
        "STATEMENT_CATEGORY_ILLEGAL_OR_HARMFUL_SPEECH",
        "STATEMENT_CATEGORY_INTELLECTUAL_PROPERTY_INFRINGEMENTS",
        "STATEMENT_CATEGORY_NEGATIVE_EFFECTS_ON_CIVIC_DISCOURSE_OR_ELECTIONS",
        "STATEMENT_CATEGORY_NOT_SPECIFIED_NOTICE",
        "STATEMENT_CATEGORY_OTHER_VIOLATION_TC",
        "STATEMENT_CATEGORY_PROTECTION_OF_MINORS",
        "STATEMENT_CATEGORY_RISK_FOR_PUBLIC_SECURITY",
        "STATEMENT_CATEGORY_SCAMS_AND_FRAUD",
        "STATEMENT_CATEGORY_SELF_HARM",
        "STATEMENT_CATEGORY_UNSAFE_AND_PROHIBITED_PRODUCTS",
        "STATEMENT_CATEGORY_VIOLENCE",
    ]
)
DSA_KEYWORDS = frozenset(
    [
        "KEYWORD_ADULT_SEXUAL_MATERIAL",
        "KEYWORD_AGE_SPECIFIC_RESTRICTIONS",
        "KEYWORD_AGE_SPECIFIC_RESTRICTIONS_MINORS",
        "KEYWORD_ANIMAL_HARM",
        "KEYWORD_BIOMETRIC_DATA_BREACH",
        "KEYWORD_BULLYING_AGAINST_GIRLS",
        "KEYWORD_CHILD_SEXUAL_ABUSE_MATERIAL",
        "KEYWORD_CHILD_SEXUAL_ABUSE_MATERIAL_DEEPFAKE",
        "KEYWORD_CONTENT_PROMOTING_EATING_DISORDERS",
        "KEYWORD_COORDINATED_HARM",
        "KEYWORD_COPYRIGHT_INFRINGEMENT",
        "KEYWORD_CYBER_BULLYING_INTIMIDATION",
        "KEYWORD_CYBER_HARASSMENT",
        "KEYWORD_CYBER_HARASSMENT_AGAINST_WOMEN",
        "KEYWORD_CYBER_INCITEMENT",
        "KEYWORD_CYBER_STALKING",
        "KEYWORD_CYBER_STALKING_AGAINST_WOMEN",
        "KEYWORD_DATA_FALSIFICATION",
        "KEYWORD_DEFAMATION",
        "KEYWORD_DESIGN_INFRINGEMENT",
        "KEYWORD_DISCRIMINATION",
        "KEYWORD_FEMALE_GENDERED_DISINFORMATION",
        "KEYWORD_GEOGRAPHIC_INDICATIONS_INFRINGEMENT",
        "KEYWORD_GEOGRAPHICAL_REQUIREMENTS",
        "KEYWORD_GOODS_SERVICES_NOT_PERMITTED",
        "KEYWORD_GROOMING_SEXUAL_ENTICEMENT_MINORS",
        "KEYWORD_HATE_SPEECH",
        "KEYWORD_HIDDEN_ADVERTISEMENT",
        "KEYWORD_HUMAN_EXPLOITATION",
        "KEYWORD_HUMAN_TRAFFICKING",
        "KEYWORD_ILLEGAL_ORGANIZATIONS",
        "KEYWORD_IMPERSONATION_ACCOUNT_HIJACKING",
        "KEYWORD_INAUTHENTIC_ACCOUNTS",
        "KEYWORD_INAUTHENTIC_LISTINGS",
        "KEYWORD_INAUTHENTIC_USER_REVIEWS",
        "KEYWORD_INCITEMENT_AGAINST_WOMEN",
        "KEYWORD_INCITEMENT_VIOLENCE_HATRED",
        "KEYWORD_INSUFFICIENT_INFORMATION_ON_TRADERS",
        "KEYWORD_LANGUAGE_REQUIREMENTS",
        "KEYWORD_MISINFORMATION_DISINFORMATION",
        "KEYWORD_MISLEADING_INFO_CONSUMER_RIGHTS",
        "KEYWORD_MISLEADING_INFO_GOODS_SERVICES",
        "KEYWORD_MISSING_PROCESSING_GROUND",
        "KEYWORD_NON_CONSENSUAL_IMAGE_SHARING",
        "KEYWORD_NON_CONSENSUAL_IMAGE_SHARING_AGAINST_WOMEN",
        "KEYWORD_NON_CONSENSUAL_MATERIAL_DEEPFAKE",
        "KEYWORD_NON_CONSENSUAL_MATERIAL_DEEPFAKE_AGAINST_WOMEN",
        "KEYWORD_NONCOMPLIANCE_PRICING",
        "KEYWORD_NUDITY",
        "KEYWORD_PATENT_INFRINGEMENT",
        "KEYWORD_PHISHING",
        "KEYWORD_PROHIBITED_PRODUCTS",
        "KEYWORD_PYRAMID_SCHEMES",
        "KEYWORD_RIGHT_TO_BE_FORGOTTEN",
        "KEYWORD_RISK_ENVIRONMENTAL_DAMAGE",
        "KEYWORD_RISK_PUBLIC_HEALTH",
        "KEYWORD_SELF_MUTILATION",
        "KEYWORD_STALKING",
        "KEYWORD_SUICIDE",
        "KEYWORD_TERRORIST_CONTENT",
        "KEYWORD_TRADE_SECRET_INFRINGEMENT",
        "KEYWORD_TRADEMARK_INFRINGEMENT",
        "KEYWORD_TRAFFICKING_WOMEN_GIRLS",
        "KEYWORD_UNLAWFUL_SALE_ANIMALS",
        "KEYWORD_UNSAFE_CHALLENGES",
        "KEYWORD_UNSAFE_PRODUCTS",
        "KEYWORD_VIOLATION_EU_LAW",
        "KEYWORD_VIOLATION_NATIONAL_LAW",
        "KEYWORD_OTHER",
    ]
)

LLAMA_GUARD = {f"S{number}" for number in range(1, 15)}
AZURE = {"Hate", "Sexual", "Violence", "SelfHarm"}


@pytest.mark.parametrize("code", LABELS)
def test_every_label_projects_to_the_dsa(code: str) -> None:
    """Category and at least one keyword, each one that the EU's schema knows."""
    category, keywords = dsa(code)
    assert category in DSA_CATEGORIES
    assert keywords
    assert set(keywords) <= DSA_KEYWORDS


@pytest.mark.parametrize("code", LABELS)
def test_every_label_has_a_default_action(code: str) -> None:
    """The taxonomy's word maps to a disposition and effects, and does something."""
    disposition, effects = default_action(code)
    assert isinstance(disposition, Disposition)
    assert all(isinstance(effect, Effect) for effect in effects)
    assert disposition or effects


def test_the_default_action_table_has_nothing_that_no_label_uses() -> None:
    """A row that nobody needs would be a guess; every word of the taxonomy has its row."""
    used = {label.default for label in TAXONOMY}
    assert used <= set(DEFAULT_ACTIONS)
    assert set(DEFAULT_ACTIONS) - used == set()


def test_codes_are_unique_and_severities_and_kinds_are_known() -> None:
    """The taxonomy is well-formed."""
    assert len(LABELS) == len(TAXONOMY)
    for label in TAXONOMY:
        assert 0 <= label.severity <= 4
        assert set(label.kinds) <= {*KINDS, "any", "url", "account", "events"}
        assert label.min_decision.split("(")[0] in (
            "auto",
            "auto+sample",
            "auto+counter_notice",
            "human",
            "human_confirm",
        )


@pytest.mark.parametrize("code", LABELS)
def test_mappings_name_categories_that_exist(code: str) -> None:
    """OpenAI's thirteen, Llama Guard's fourteen, Azure's four."""
    label = LABELS[code]
    assert set(label.openai) <= set(OPENAI_CATEGORIES)
    assert set(label.llama_guard) <= LLAMA_GUARD
    assert set(label.azure) <= AZURE


def test_every_openai_category_has_a_label() -> None:
    """An answer in OpenAI's shape can always be filled."""
    assert {category for label in TAXONOMY for category in label.openai} == set(OPENAI_CATEGORIES)


@pytest.mark.parametrize(
    ("pattern", "count"),
    [("hate.speech", 1), ("hate.*", 4), ("*", len(LABELS)), ("nothing.*", 0), ("hate", 0)],
)
def test_patterns_cover_labels(pattern: str, count: int) -> None:
    """An exact code, a family, all; what matches nothing covers nothing."""
    found = matching(pattern)
    assert len(found) == count
    assert list(found) == [code for code in LABELS if code in found]


@given(st.lists(st.sampled_from([*LABELS, "hate.*", "tone.*", "*", "x.*"]), max_size=6))
def test_expanding_keeps_the_taxonomys_order_without_repeats(patterns: list[str]) -> None:
    """Every covered code once, in one order, whatever the order of patterns."""
    found = expand(patterns)
    assert found == tuple(code for code in LABELS if any(code in matching(pattern) for pattern in patterns))
    assert found == expand(reversed(patterns))


def test_the_most_specific_pattern_is_an_exact_code_then_the_longest_prefix() -> None:
    """How ``on_failure`` chooses."""
    assert max(["*", "hate.*", "hate.speech", "h*"], key=specificity) == "hate.speech"
    assert max(["*", "h*", "hate.*"], key=specificity) == "hate.*"
