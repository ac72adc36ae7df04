"""Published sets, each with its own format: one row of the table each."""

from collections.abc import Iterator, Mapping
from itertools import combinations

from judgestream.core.formats.base import (
    Draft,
    Found,
    RequestFormat,
    dataset_name,
    pair_draft,
    pair_of,
)
from judgestream.core.formats.fields import Fields, SetAside
from judgestream.core.formats.reasons import Aside, NoLabel

_ULTRA_SCORES = ("overall_score", "fine-grained_score")
_GSM8K = "is_correct"
_HUMAN = "human"


def convert_bias(fields: Fields) -> Draft:
    """Humans or LLMs as the Judge (arXiv 2402.10669): two answers, of which one may be perturbed.

    The set has no votes, and a perturbed answer is not always the worse one: what was done to which answer
    goes into the metadata, and there is no label.
    """
    question, both = fields.text("question"), fields.inner("answers")
    answers = [both.inner(f"answer{k}") for k in (1, 2)]
    texts = [answer.text("answer") for answer in answers]
    perturbed = {f"perturb_{k}": answer.name("perturb") for k, answer in enumerate(answers, 1)}
    number, model = fields.identity("question_id"), fields.name("model_id")
    return Draft(
        name=dataset_name("judgement-bias", number, fields, question, *texts),
        question=question,
        candidates=pair_of(texts, (model, model)),
        metadata={name: kind for name, kind in perturbed.items() if kind},
    )


def pairs_of_solutions(fields: Fields) -> Iterator[Found]:
    """GSM8K's example solutions: every pair of solvers. Where one is right and one wrong, that is the
    label; two right or two wrong ones are not called equal."""
    question, truth = fields.text("question"), fields.text("ground_truth")
    solvers = [name for name, value in fields.values.items() if _solution(value)]
    solutions = {name: fields.inner(name) for name in solvers}
    texts = {name: one.text("solution") for name, one in solutions.items()}
    right = {name: one.values[_GSM8K] is True for name, one in solutions.items()}
    for first, second in combinations(solvers, 2):
        winner = ("1" if right[first] else "2") if right[first] != right[second] else None
        yield pair_draft(
            "gsm8k",
            fields,
            question=question,
            texts=(texts[first], texts[second]),
            systems=(first, second),
            annotator="gold",
            winner=winner or NoLabel.EQUAL_SCORES,
            reference=truth,
        )


def _solution(value: object) -> bool:
    return isinstance(value, dict) and isinstance(value.get(_GSM8K), bool) and "solution" in value


def _solutions(values: Mapping[str, object]) -> bool:
    return sum(_solution(value) for value in values.values()) > 1


def pairs_of_completions(fields: Fields) -> Iterator[Found]:
    """UltraFeedback: every pair of completions; the label is the higher `overall_score` (else
    `fine-grained_score`) of both."""
    question = fields.text("instruction")
    completions = [
        fields.nested(f"completions[{k}]", value)
        for k, value in enumerate(fields.items("completions"))
    ]
    if len(completions) < 2:
        fields.set_aside(Aside.NO_PARTNER, "completions", "has fewer than two entries")
    read = [(one.text("response"), one.name("model"), _score(one)) for one in completions]
    for (first, model, high), (second, other, low) in combinations(read, 2):
        yield pair_draft(
            "ultrafeedback",
            fields,
            question=question,
            texts=(first, second),
            systems=(model, other),
            annotator="gpt-4",
            winner=_higher(high, low),
        )


def _higher(first: float | None, second: float | None) -> str | NoLabel:
    if first is None or second is None:
        return NoLabel.NO_WINNER
    if first == second:
        return NoLabel.EQUAL_SCORES
    return "1" if first > second else "2"


def _score(completion: Fields) -> float | None:
    name = next((one for one in _ULTRA_SCORES if completion.filled(one)), None)
    return completion.number(name) if name is not None else None


def _ultrafeedback(values: Mapping[str, object]) -> bool:
    completions = values["completions"]
    return isinstance(completions, list) and any(
        isinstance(one, dict) and "response" in one for one in completions
    )


class TriviaQA:
    """Judging the Judges (arXiv 2406.12624): whether an answer is right, by people and by judges. The
    published files lack the answers, so there is nothing to judge; each row is set aside with its votes."""

    def __init__(self) -> None:
        self._rows: list[Fields] = []

    def add(self, part: str, fields: Fields) -> None:
        if part == TRIVIAQA.name:
            trivia_votes(fields)
            self._rows.append(fields)

    def outcomes(self) -> Iterator[Found]:
        for fields in self._rows:
            problem = f"{fields.place}: the answer is not in the file, only what was said of it"
            yield SetAside(problem, Aside.NO_TEXTS)


def trivia_votes(fields: Fields) -> dict[str, bool]:
    """By annotator, whether the answer is right: 1 or 0; an empty cell is not a vote."""
    votes = {}
    for name in fields.values:
        if name in ("qid", "exam_taker") or not fields.filled(name):
            continue
        value = fields.whole(name, (0, 1))
        if value is None:
            fields.reject(name, "must be 0 (wrong), 1 (right) or empty")
        votes[name] = value == 1
    return votes


def only_scores(fields: Fields) -> Found:
    """Tables of models with their scores on benchmarks."""
    fields.set_aside(Aside.NOT_A_COMPARISON, "model", "is a row of a leaderboard, without answers")


def steps(fields: Fields) -> Found:
    """TRL's stepwise supervision: each step of one answer is right or wrong."""
    fields.set_aside(Aside.NOT_A_COMPARISON, "completions", "are steps of one answer, not answers")


def _stepwise(values: Mapping[str, object]) -> bool:
    return isinstance(values["completions"], list) and isinstance(values["labels"], list)


def _leaderboard(values: Mapping[str, object]) -> bool:
    numbers = [
        value for name, value in values.items() if name.lower() not in ("model", "name", "ci")
    ]
    return (
        len(numbers) > 1
        and not {"question", "prompt", "instruction", "conversation_a"} & set(values)
        and sum(_numeric(value) for value in numbers) >= len(numbers) / 2
    )


def _numeric(value: object) -> bool:
    if isinstance(value, int | float):
        return True
    try:
        return isinstance(value, str) and (value == "" or float(value) == float(value))
    except ValueError:
        return False


JUDGEMENT_BIAS = RequestFormat(
    name="judgement-bias",
    summary="Humans or LLMs as the Judge: two answers, the perturbation in the metadata; no label",
    needs=(("question",), ("answers",), ("question_id",)),
    convert=convert_bias,
    when=lambda values: isinstance(values["answers"], dict),
)
GSM8K = RequestFormat(
    name="gsm8k",
    summary="GSM8K's solutions of several solvers: every pair; the label is the one that is right",
    needs=(("question",), ("ground_truth",)),
    spread=pairs_of_solutions,
    when=_solutions,
)
ULTRAFEEDBACK = RequestFormat(
    name="ultrafeedback",
    summary="an instruction and scored completions: every pair; the label is the higher score",
    needs=(("instruction",), ("completions",)),
    spread=pairs_of_completions,
    when=_ultrafeedback,
)
TRIVIAQA = RequestFormat(
    name="triviaqa-judges",
    summary="Judging the Judges: votes without answers, set aside",
    needs=(("qid",), ("exam_taker",), (_HUMAN,)),
    join=TriviaQA,
)
TRIVIAQA_QUESTIONS = RequestFormat(
    name="triviaqa-questions",
    summary="Judging the Judges: the questions of the votes",
    needs=(("qid",), ("question",), ("references",)),
    join=TriviaQA,
)
STEPWISE = RequestFormat(
    name="trl-stepwise",
    summary="TRL's stepwise supervision, set aside: its labels are of steps, not of answers",
    needs=(("prompt",), ("completions",), ("labels",)),
    convert=steps,
    when=_stepwise,
)
LEADERBOARD = RequestFormat(
    name="leaderboard",
    summary="models with their scores on benchmarks, set aside",
    needs=(("model", "Name"),),
    convert=only_scores,
    when=_leaderboard,
)
