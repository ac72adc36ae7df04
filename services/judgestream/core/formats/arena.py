"""Chatbot Arena votes and MT-Bench's human judgements: two conversations, and who won."""

from judgestream.core.conversation import ASSISTANT, USER, Turn
from judgestream.core.formats.base import Draft, RequestFormat, Vote, dataset_name, pair_of
from judgestream.core.formats.conversation import compared, message_list, turns
from judgestream.core.formats.fields import Fields, listed
from judgestream.core.formats.reasons import Aside, NoLabel
from judgestream.core.formats.winners import flags, ids, side


def convert(fields: Fields) -> Draft:
    """`conversation_a` and `conversation_b`, judged up to `turn`, with `winner` and `judge`.

    The winner is `model_a`, `model_b`, `tie` or `tie (bothbad)`. Of several turns, question and answers
    are numbered by turn.
    """
    first, second = (_until(fields, name) for name in ("conversation_a", "conversation_b"))
    question, *answers = compared(fields, "conversation_b", first, second)
    return _draft(fields, question, answers, side(fields.values.get("winner"), _systems(fields)))


def convert_table(fields: Fields) -> Draft:
    """Kaggle's tables: `prompt`, `response_a`, `response_b` as JSON lists of turns, or as text, and the
    flags `winner_model_a`, `winner_model_b`, `winner_tie`."""
    prompts, *answers = (_texts(fields, name) for name in ("prompt", "response_a", "response_b"))
    said = [
        [
            turn
            for prompt, reply in zip(prompts, one, strict=True)
            for turn in (Turn(role=USER, text=prompt), Turn(role=ASSISTANT, text=reply))
        ]
        for one in answers
        if len(one) == len(prompts)
    ]
    if len(said) != 2:
        fields.set_aside(Aside.NO_ANSWER, "response_b", "has not as many turns as the prompt")
    question, *texts = compared(fields, "response_b", said[0], said[1], opening=1)
    marked = flags(fields, "winner_model_a", "winner_model_b", "winner_tie")
    return _draft(fields, question, texts, marked)


def _draft(fields: Fields, question: str, answers: list[str], winner: int | NoLabel) -> Draft:
    number = fields.identity("question_id", "id")
    turn = fields.identity("turn")
    judge = fields.identity("judge") if not isinstance(fields.values.get("judge"), list) else None
    names = ids("1", "2")
    systems = _systems(fields)
    content = (question, *answers, *systems, judge or "")
    return Draft(
        name=dataset_name("arena", number, fields, *content),
        question=question,
        candidates=pair_of(answers, systems),
        votes=(Vote(annotator=judge or "human", winner=names[winner]),)
        if isinstance(winner, int)
        else (),
        unlabelled=(winner,) if isinstance(winner, NoLabel) else (),
        metadata={"turn": turn} if turn is not None else {},
    )


def _systems(fields: Fields) -> tuple[str, str]:
    return fields.name("model_a"), fields.name("model_b")


def _until(fields: Fields, name: str) -> list[Turn]:
    """The conversation up to the answer of the turn that was judged."""
    messages = message_list(fields.values.get(name))
    said = turns(fields, name, messages if messages is not None else fields.items(name))
    if not fields.filled("turn"):
        return said
    wanted, seen = fields.number("turn"), 0
    for k, turn in enumerate(said):
        seen += turn.role == USER
        if seen > wanted:
            return said[:k]
    if seen < wanted:
        fields.set_aside(Aside.NO_ANSWER, "turn", f"is {wanted:g}, and the conversation has {seen}")
    return said


def _texts(fields: Fields, name: str) -> list[str]:
    value = listed(fields.values.get(name))
    if not isinstance(value, list):
        return [fields.text(name)]
    said = Fields({f"{name}[{k}]": one for k, one in enumerate(value)}, fields.place)
    missing = next((one for one in said.values if not said.has(one)), None)
    if missing is not None:
        fields.set_aside(Aside.NO_ANSWER, missing, "is null")
    return [said.text(one) for one in said.values]


ARENA = RequestFormat(
    name="arena",
    summary="Chatbot Arena votes and MT-Bench's human judgements: two conversations, winner, judge",
    needs=(("conversation_a",), ("conversation_b",)),
    convert=convert,
)
ARENA_TABLE = RequestFormat(
    name="arena-table",
    summary="Arena votes as a table: prompt, response_a, response_b, and a flag for the winner",
    needs=(("prompt",), ("response_a",), ("response_b",), ("winner_model_a",)),
    convert=convert_table,
)
