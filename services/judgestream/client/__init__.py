"""The Python API for producers and consumers. Needs only the base install; for asyncio see `judgestream.aio`.

    from judgestream.client import Producer, judge, pair, read_verdicts

    verdict = judge(pair("Capital of France?", "Paris.", "London."))    # submit and wait
    print(verdict.winner or "tie", verdict.p_win, verdict.flipped)

    with Producer() as producer:                                        # submit only
        producer.submit(pair("Capital of France?", "Paris.", "London."))
    for verdict in read_verdicts(follow=True):
        print(verdict.request_id, verdict.winner or "tie")

A request is judged once per release. To judge the same content again, give it a new request id.
Every error is a `JudgestreamError`; see `judgestream.core.errors` for the tree.
"""

from judgestream.client.building import (
    by_rubric,
    conversations,
    follow_up,
    label,
    multi,
    multimodal,
    pair,
    pass_label,
    rerank,
    single,
    tournament,
)
from judgestream.client.judging import VerdictTimeout, judge, judge_all, read_verdicts
from judgestream.client.producer import Producer
from judgestream.contracts.events import JSON, PROTOBUF
from judgestream.core.conversation import Focus, Turn
from judgestream.core.errors import (
    BrokerUnavailable,
    ConfigurationError,
    InvalidRequest,
    JudgestreamError,
    OversizeRecord,
)
from judgestream.core.rubric import Criterion, Rubric
from judgestream.core.types import Candidate, Image, Options, Orders

__all__ = [
    "BrokerUnavailable",
    "Candidate",
    "ConfigurationError",
    "Criterion",
    "Focus",
    "Image",
    "InvalidRequest",
    "JSON",
    "JudgestreamError",
    "Options",
    "Orders",
    "OversizeRecord",
    "PROTOBUF",
    "Producer",
    "Rubric",
    "Turn",
    "VerdictTimeout",
    "by_rubric",
    "conversations",
    "follow_up",
    "judge",
    "judge_all",
    "label",
    "pass_label",
    "multi",
    "multimodal",
    "pair",
    "read_verdicts",
    "rerank",
    "single",
    "tournament",
]
