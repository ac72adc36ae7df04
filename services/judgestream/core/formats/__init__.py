"""The table of input formats: records -> requests with the labels that come with them.

A new format is a file with its converter and a row in `FORMATS`. The first record of a file decides its
format, and the first row that recognises it wins: a row stands above those whose fields it includes. Our own
schema is a row as well, added where importing the protobuf contracts (`contracts.request_format`).
"""

from collections.abc import Mapping
from types import MappingProxyType

from judgestream.core.formats.alpaca import ALPACA, ALPACA_EVAL, OUTPUTS, PROMPTS
from judgestream.core.formats.arena import ARENA, ARENA_TABLE
from judgestream.core.formats.autoj import AUTOJ, AUTOJ_PREDICTIONS, AUTOJ_SINGLE
from judgestream.core.formats.base import Format, RequestFormat, T
from judgestream.core.formats.fastchat import (
    ANSWERS,
    FAIREVAL_VOTES,
    IDS,
    MT_PAIRS,
    MT_SINGLE,
    QUESTIONS,
    REVIEWS,
)
from judgestream.core.formats.images import MJBENCH
from judgestream.core.formats.judgelm import JUDGELM
from judgestream.core.formats.mmvet import PREDICTIONS, SAMPLES
from judgestream.core.formats.mmvet import ROWS as MM_VET_ROWS
from judgestream.core.formats.openai import (
    BATCH_INPUT,
    BATCH_OUTPUT,
    CHAT,
    OPENAI,
    OPENAI_LOG,
    OPENAI_PREFERENCE,
    STORED,
)
from judgestream.core.formats.pairs import PAIRS, SINGLE
from judgestream.core.formats.pandalm import PANDALM, PANDALM_RESULTS
from judgestream.core.formats.retrieval import RETRIEVAL
from judgestream.core.formats.sets import (
    GSM8K,
    JUDGEMENT_BIAS,
    LEADERBOARD,
    STEPWISE,
    TRIVIAQA,
    TRIVIAQA_QUESTIONS,
    ULTRAFEEDBACK,
)
from judgestream.core.formats.trl import TRL

FORMATS: Mapping[str, RequestFormat] = MappingProxyType(
    {
        one.name: one
        for one in (
            MM_VET_ROWS,
            SAMPLES,
            PREDICTIONS,
            JUDGELM,
            PANDALM,
            PANDALM_RESULTS,
            ARENA,
            ARENA_TABLE,
            MT_PAIRS,
            MT_SINGLE,
            REVIEWS,
            ANSWERS,
            QUESTIONS,
            IDS,
            FAIREVAL_VOTES,
            AUTOJ,
            AUTOJ_SINGLE,
            AUTOJ_PREDICTIONS,
            ALPACA_EVAL,
            PROMPTS,
            OUTPUTS,
            OPENAI_PREFERENCE,
            TRL,
            BATCH_INPUT,
            BATCH_OUTPUT,
            OPENAI,
            OPENAI_LOG,
            STORED,
            ULTRAFEEDBACK,
            STEPWISE,
            GSM8K,
            JUDGEMENT_BIAS,
            TRIVIAQA,
            TRIVIAQA_QUESTIONS,
            MJBENCH,
            RETRIEVAL,
            PAIRS,
            CHAT,
            ALPACA,
            SINGLE,
            LEADERBOARD,
        )
    }
)


def detect(values: Mapping[str, object], formats: Mapping[str, Format[T]]) -> Format[T] | None:
    """The first format of the table whose fields the record has; None when there is none."""
    return next((one for one in formats.values() if one.recognises(values)), None)
