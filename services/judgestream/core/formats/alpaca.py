"""AlpacaEval's files: annotated pairs, model outputs, and the reduced form of prompts with outputs."""

from collections.abc import Iterator
from dataclasses import replace

from judgestream.core.formats.base import (
    Draft,
    Found,
    RequestFormat,
    dataset_name,
    pair_draft,
)
from judgestream.core.formats.fields import Fields, SetAside
from judgestream.core.formats.reasons import Aside, NoLabel
from judgestream.core.types import Candidate

BASELINE = "gpt4_1106_preview"
TEACHER = "gpt-4-turbo"
LOWEST, EVEN, HIGHEST = 1.0, 1.5, 2.0


def side(preference: float | None) -> str | NoLabel:
    """The winner by AlpacaEval's preference: 1 the first output, 2 the second, what lies between is a
    probability, and 1.5 (in its first files 0) a draw."""
    if preference is None:
        return NoLabel.NO_WINNER
    if preference in (EVEN, 0.0):
        return ""
    if not LOWEST <= preference <= HIGHEST:
        return NoLabel.UNKNOWN_WINNER
    return "2" if preference > EVEN else "1"


def convert(fields: Fields) -> Draft:
    """`instruction`, `output_1` and `output_2` with their generators, `preference` of an `annotator`."""
    question = instruction(fields)
    texts = [fields.text(f"output_{k}") for k in (1, 2)]
    systems = [fields.name(f"generator_{k}") for k in (1, 2)]
    winner = side(fields.optional_number("preference"))
    annotator = fields.name("annotator") or "annotator"
    return pair_draft(
        "alpaca-eval",
        fields,
        question=question,
        texts=texts,
        systems=systems,
        annotator=annotator,
        winner=winner,
    )


def convert_output(fields: Fields) -> Draft:
    """`instruction`, perhaps an `input`, and one `output` of a `generator`."""
    question = instruction(fields)
    output, generator = fields.text("output"), fields.name("generator") or fields.name("model")
    return Draft(
        name=dataset_name("alpaca", fields.identity("id"), fields, question, output, generator),
        question=question,
        candidates=(Candidate(id="1", text=output, system=generator),),
        mode="single",
        reference=fields.optional_text("reference"),
    )


def instruction(fields: Fields) -> str:
    """The question: the instruction, then the input on its own paragraph, if there is one."""
    text, extra = fields.text("instruction"), fields.optional_text("input") or ""
    return f"{text}\n\n{extra}" if extra.strip() else text


class AlpacaEval:
    """Prompts with the baseline's outputs, and the outputs of models with the teacher's preference for them
    over the baseline, joined by `prompt_id`."""

    def __init__(self) -> None:
        self._prompts: dict[str, tuple[str, str]] = {}
        self._outputs: list[Fields] = []

    def add(self, part: str, fields: Fields) -> None:
        number = fields.identity("prompt_id")
        if number is None:
            fields.reject("prompt_id", "is missing, and outputs are joined by it")
        if part == PROMPTS.name:
            prompt = fields.text("instruction"), fields.text("baseline_output")
            if self._prompts.setdefault(number, prompt) != prompt:
                fields.reject("prompt_id", "is not unique: give every prompt a unique id")
            return
        fields.text("output"), fields.optional_number("preference")  # reject early, not at the end
        self._outputs.append(fields)

    def outcomes(self) -> Iterator[Found]:
        for fields in self._outputs:
            number = fields.identity("prompt_id") or ""
            prompt = self._prompts.get(number)
            if prompt is None:
                problem = f"{fields.place}: field prompt_id: no prompt has it"
                yield SetAside(f"{problem}: give the prompts as well", Aside.NO_QUESTION)
                continue
            question, baseline = prompt
            texts, systems = [baseline, fields.text("output")], [BASELINE, fields.name("model")]
            winner = side(fields.optional_number("preference"))
            draft = pair_draft(
                "alpaca-eval",
                fields,
                number=number,
                question=question,
                texts=texts,
                systems=systems,
                annotator=TEACHER,
                winner=winner,
            )
            yield replace(draft, place=fields.place)


ALPACA_EVAL = RequestFormat(
    name="alpaca-eval",
    summary="AlpacaEval's annotations: instruction, two outputs, preference 1 to 2",
    needs=(("instruction",), ("output_1",), ("output_2",)),
    convert=convert,
)
PROMPTS = RequestFormat(
    name="alpaca-eval-prompts",
    summary="AlpacaEval's prompts with the baseline's outputs, joined with other models' outputs",
    needs=(("prompt_id",), ("instruction",), ("baseline_output",)),
    join=AlpacaEval,
)
OUTPUTS = RequestFormat(
    name="alpaca-eval-outputs",
    summary="outputs with the preference over the baseline (1 to 2), joined with the prompts by prompt_id",
    needs=(("prompt_id",), ("output",), ("preference",)),
    join=AlpacaEval,
)
ALPACA = RequestFormat(
    name="alpaca",
    summary="instruction and one output (AlpacaEval's model outputs, Alpaca's training rows)",
    needs=(("instruction",), ("output",)),
    convert=convert_output,
)
