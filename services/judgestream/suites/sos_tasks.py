"""The tasks of SOS-Bench's three factors: columns of its tables, and the accuracy of guessing in each."""

from collections.abc import Mapping
from types import MappingProxyType

Tasks = Mapping[str, float]
"""Column -> chance."""

_BBH = {
    **dict.fromkeys(
        (
            "boolean_expressions",
            "causal_judgement",
            "formal_fallacies",
            "hyperbaton",
            "navigate",
            "snarks",
            "sports_understanding",
            "web_of_lies",
        ),
        2,
    ),
    "disambiguation_qa": 3,
    "logical_deduction_three_objects": 3,
    "tracking_shuffled_objects_three_objects": 3,
    "temporal_sequences": 4,
    "logical_deduction_five_objects": 5,
    "penguins_in_a_table": 5,
    "tracking_shuffled_objects_five_objects": 5,
    "date_understanding": 6,
    "movie_recommendation": 6,
    "ruin_names": 6,
    "salient_translation_error_detection": 6,
    "logical_deduction_seven_objects": 7,
    "tracking_shuffled_objects_seven_objects": 7,
    "geometric_shapes": 11,
    "reasoning_about_colored_objects": 18,
    "object_counting": 19,
}
"""The number of choices of each task of BIG-Bench Hard."""
_MATH = (
    *("algebra", "counting_and_prob", "geometry", "intermediate_algebra", "num_theory"),
    *("prealgebra", "precalculus"),
)
WORLD_KNOWLEDGE: Mapping[str, Tasks] = {
    "mmlu_pro": {"leaderboard_mmlu_pro/acc": 0.1},
    "gpqa": {"leaderboard_gpqa_main/acc_norm": 0.25},
    "musr": {
        "leaderboard_musr_murder_mysteries/acc_norm": 1 / 2,
        "leaderboard_musr_object_placements/acc_norm": 1 / 5,
        "leaderboard_musr_team_allocation/acc_norm": 1 / 3,
    },
    "math": {f"leaderboard_math_{name}_hard/exact_match": 0.0 for name in _MATH},
    "bbh": {f"leaderboard_bbh_{name}/acc_norm": 1 / count for name, count in _BBH.items()},
}
INSTRUCTIONS: Mapping[str, Tasks] = {"ifeval": {"leaderboard_ifeval/prompt_level_strict_acc": 0.0}}
INVERSE = frozenset(("wmdp/acc",))
"""Knowledge of dangerous subjects: less is safer, so 1 - accuracy counts."""
SAFETY: Mapping[str, Tasks] = {
    "bbq": {"bbq/acc": 1 / 3},
    "wmdp": {"wmdp/acc": 0.0},
    **{
        name.lower(): {f"{name}/acc": 0.0}
        for name in (
            *("BeaverTailsEval", "CDNA", "DTToxicity", "JailbreakHub", "SaladBench", "SGXSTest"),
            *("StrongREJECT", "toxigen", "WildGuardTest", "xstest"),
        )
    },
}
FACTORS: Mapping[str, Mapping[str, Tasks]] = MappingProxyType(
    {
        "world_knowledge": WORLD_KNOWLEDGE,
        "instructions": INSTRUCTIONS,
        "safety": SAFETY,
    }
)
ALIASES: Mapping[str, str] = MappingProxyType(
    {
        "llama-3-8b-sharegpt": "llama-3-8b-sharegpt-112k",
        "llama-3-8b-ultrachat (magpie)": "llama-3-8b-ultrachat-200k",
        "llama3-8b-metamath": "llama-3-8b-metamath",
        "llama-3-8b-tulu2": "llama-3-8b-tulu-330k",
        "llama-3-8b-base": "llama-3-8b",
        "llama-3-8b-tulu-human": "llama-3-8b-tulu-human-v2",
        "mistral-7b-tulu2": "mistral-7b-tulu-v2-sft-2.0",
    }
)
"""Models whose names differ between Arena-Hard's table and that of the benchmarks, in lower case."""


def name_of(model: str) -> str:
    """A model's name as the table of benchmarks has it, in lower case."""
    plain = model.strip().lower()
    return ALIASES.get(plain, plain)
