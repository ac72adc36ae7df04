"""Any text against an answer without content: an empty one or a shrug.

The texts are deliberately strange: invented words, numbers, code-like lines, other scripts, long texts. They
teach the judge to write a readable score line after any input.
"""

from random import Random

from judgestream_trainer.tasks.base import Answer, Family, Item, explain, right, two_levels, wrong
from judgestream_trainer.tasks.sentences import invented, sentence
from judgestream_trainer.tasks.words import COMMON, NOUNS

_SHRUGS = (
    "I do not know.",
    "I cannot help with that.",
    "No idea.",
    "Sorry, I have no answer.",
    "...",
    "N/A",
    "?",
)
_SIGNS = tuple("{}[]()<>=+*/%$#@&|_~^:;,.!?'\"-")
_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
_SCRIPTS = (
    "äöüßéèñçøåžčšαβγδλπσωабвгдежзиклмнопрст的是不了在人有我他这中大来上個们"
    "日本語한국어😀🎉✅→€£°²–—“”‘’…"
)


def _make(rng: Random) -> Item:
    draw = rng.random()
    size = rng.randint(100, 420) if draw < 0.05 else rng.randint(3, 22)
    question = _text(rng, rng.randint(3, 14) if draw >= 0.02 else rng.randint(20, 200))
    text = _text(rng, size)
    levels = two_levels(rng, (0, 1), tie=0.15)
    answers = tuple(_answer(rng, size, level) for level in levels)
    if levels == (1, 1) and rng.random() < 0.8:
        answers = (answers[0], answers[0])  # identical answers are a tie
    return Item(
        family="substance",
        question=question,
        answers=(answers[0], answers[1]),
        reference=text,
        explanation=explain(*answers),
        key=question,
    )


def _answer(rng: Random, size: int, level: int) -> Answer:
    if level == 1:
        return Answer(spans=(right(_text(rng, size)),), score=8, note="says something")
    # several shrugs in a row are still without content
    shrug = " ".join(rng.choices(_SHRUGS, k=rng.choice((0, 1, 1, 1, 3, 8))))
    return Answer(spans=(wrong(shrug),) if shrug else (), score=1, note="says nothing")


def _text(rng: Random, words: int) -> str:
    """About `words` words of one kind or of a mixture."""
    kinds = (_common, _sentences, _made_up, _numbers, _signs, _random_letters, _scripts, _lines)
    if rng.random() < 0.6:
        return rng.choice((_common, _sentences, rng.choice(kinds)))(rng, words)
    parts = [rng.choice(kinds)(rng, max(2, words // 3)) for _ in range(3)]
    return rng.choice((" ", " ", "\n", "\n\n")).join(parts)


def _common(rng: Random, words: int) -> str:
    text = " ".join(rng.choice(COMMON if rng.random() < 0.8 else NOUNS) for _ in range(words))
    return text.capitalize() + rng.choice((".", ".", "?", ""))


def _sentences(rng: Random, words: int) -> str:
    return " ".join(sentence(rng) for _ in range(max(1, words // 7)))


def _made_up(rng: Random, words: int) -> str:
    return " ".join(invented(rng).lower() for _ in range(max(1, words // 2)))


def _numbers(rng: Random, words: int) -> str:
    return " ".join(str(rng.randint(0, 10 ** rng.randint(1, 4))) for _ in range(max(1, words // 2)))


def _signs(rng: Random, words: int) -> str:
    return "".join(rng.choice((*_SIGNS, rng.choice(NOUNS))) for _ in range(words))


def _random_letters(rng: Random, words: int) -> str:
    lengths = [rng.randint(1, 8) for _ in range(max(1, words // 4))]
    return " ".join("".join(rng.choice(_LETTERS) for _ in range(n)) for n in lengths)


def _scripts(rng: Random, words: int) -> str:
    return "".join(rng.choice(_SCRIPTS) for _ in range(max(2, words // 2)))


def _lines(rng: Random, words: int) -> str:
    count = max(1, words // 5)
    return "\n".join(f"{k}. {_common(rng, rng.randint(2, 5))}" for k in range(1, count + 1))


SUBSTANCE = Family(
    name="substance",
    make=_make,
    judges="prefers any text to an empty answer or a shrug",
)
