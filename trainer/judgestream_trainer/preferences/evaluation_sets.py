"""The published sets that the small judge is measured on and never trained on."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from judgestream.core.preference import Preference
from judgestream_trainer.data import read_examples
from judgestream_trainer.data.example import Example, Judgement

_SCORES: Mapping[Preference, tuple[float, float]] = MappingProxyType(
    {Preference.FIRST: (8.0, 4.0), Preference.SECOND: (4.0, 8.0), Preference.TIE: (6.0, 6.0)}
)


def pandalm(folder: Path) -> Iterator[Example]:
    """PandaLM's 999 pairs with the majority of three people; empty answers included."""
    rows = json.loads((folder / "pandalm" / "testset-v1.json").read_text("utf-8"))
    for number, row in enumerate(rows):
        votes = Counter(int(row[f"annotator{k}"]) for k in (1, 2, 3)).most_common(2)
        if len(votes) > 1 and votes[0][1] == votes[1][1]:
            continue
        extra = row["input"] or ""
        yield _example(
            f"pandalm-{number}",
            f"{row['instruction']}\n\n{extra}" if extra.strip() else row["instruction"],
            (str(row["response1"]), str(row["response2"])),
            {0: Preference.TIE, 1: Preference.FIRST, 2: Preference.SECOND}[votes[0][0]],
        )


def auto_j(folder: Path) -> Iterator[Example]:
    """Auto-J's 1,392 pairs, judged by people."""
    labels = (Preference.FIRST, Preference.SECOND, Preference.TIE)
    for number, row in enumerate(_rows(folder / "autoj" / "test" / "testdata_pairwise.jsonl")):
        answers = (row["response 1"], row["response 2"])
        yield _example(f"auto-j-{number}", row["prompt"], answers, labels[int(row["label"])])


def faireval(folder: Path) -> Iterator[Example]:
    """FairEval's 80 pairs with its one aggregated human label."""
    place = folder / "faireval"
    names = {"CHATGPT": Preference.FIRST, "VICUNA13B": Preference.SECOND, "TIE": Preference.TIE}
    text = (place / "review" / "review_gpt35_vicuna-13b_human.txt").read_text("utf-8")
    first = _rows(place / "answer" / "answer_gpt35.jsonl")
    second = _rows(place / "answer" / "answer_vicuna-13b.jsonl")
    rows = zip(_rows(place / "question.jsonl"), first, second, text.split(), strict=True)
    for number, (question, one, other, label) in enumerate(rows):
        answers = (one["text"], other["text"])
        yield _example(f"faireval-{number}", question["text"], answers, names[label])


def _joined(name: str) -> Callable[[Path], Iterator[Example]]:
    """A set whose questions, answers and reviews the importer joins; GPT-4's judgement is the truth."""
    return lambda folder: iter(read_examples([folder / name])[0])


MEASURED: Mapping[str, Callable[[Path], Iterator[Example]]] = MappingProxyType(
    {
        "PandaLM (people)": pandalm,
        "Auto-J (people)": auto_j,
        "FairEval (people)": faireval,
        "Vicuna (GPT-4)": _joined("vicuna_bench"),
        "MT-Bench (GPT-4)": _joined("mt_bench"),
    }
)
"""Name in the card -> reader."""

FITTED_ON = ("Vicuna (GPT-4)", "MT-Bench (GPT-4)")
"""The sets that the scale and the tie margin are fitted on."""


def read_measured(folder: Path) -> dict[str, Sequence[Example]]:
    """Every set by its name."""
    return {name: list(read(folder)) for name, read in MEASURED.items()}


def _example(name: str, question: str, answers: tuple[str, str], truth: Preference) -> Example:
    return Example(
        id=name, question=question, answers=answers, blind=Judgement(scores=_SCORES[truth])
    )


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)
