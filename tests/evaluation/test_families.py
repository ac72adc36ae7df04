"""Families by the names of systems and releases."""

import pytest

from judgestream.evaluation.families import family_of


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("gpt-4o-2024-08-06", "gpt"),
        ("openai/o1-preview", "gpt"),
        ("GPT4", "gpt"),
        ("text-davinci-003", "gpt"),
        ("claude-3-5-sonnet", "claude"),
        ("meta-llama/Llama-3-8B-Instruct", "llama"),
        ("vicuna-13b-v1.3", "llama"),
        ("mixtral-8x7b", "mistral"),
        ("Qwen2.5-7B-Instruct", "qwen"),
        ("google/gemma-2b", "gemma"),
        ("phi-3-dpo", "phi"),
        ("yi-34b", "yi"),
        ("yield-predictor", "yield"),
        ("acme/rocket-7b", "rocket"),
        ("small-8a288663", "small"),
        ("123", ""),
        ("", ""),
    ],
)
def test_the_table_and_the_rule(name: str, family: str) -> None:
    assert family_of(name) == family


def test_users_extend_the_table() -> None:
    own = {"acme": ["rocket"], "gpt": ["support-bot"], "other": ["llama-guard"]}
    assert family_of("rocket-7b-v2", own) == "acme"
    assert family_of("Rocket2", own) == "acme"
    assert family_of("llama-3", own) == "llama"
