"""A cascade: a jury that asks its next members only where the first is unsure.

The members judge in the order of the record. A member is sure if its verdict is scored with a confidence of
at least the record's bound. A sure verdict is the jury's, and nobody else is asked. After an unsure or
unscored one, or where a member refuses the request, come

    without a vote   the next member, and so on; if none is sure, the last scored verdict is the jury's
    with a vote      all other members at once; then every member asked votes by the rule `then`

A verdict without a confidence, such as that of a single answer's score, is not sure.
"""

from judgestream.core.errors import JudgestreamError
from judgestream.core.jury import JuryRecord, JuryRule
from judgestream.core.types import Status, Verdict


def turns(record: JuryRecord) -> tuple[range, ...]:
    """The members by position, in the groups that are asked one after the other. A group is asked at once."""
    count = len(record.members)
    if record.rule is not JuryRule.CASCADE:
        return (range(count),)
    if record.then is not None:
        return range(1), range(1, count)
    return tuple(range(k, k + 1) for k in range(count))


def is_sure(record: JuryRecord, result: Verdict | JudgestreamError) -> bool:
    """Whether no further member is asked after this result of the latest one."""
    if not isinstance(result, Verdict) or result.status is not Status.SCORED:
        return False
    return result.confidence is not None and result.confidence >= record.below


def judges_alone(record: JuryRecord, asked: int) -> bool:
    """Whether one member's verdict is the jury's, after this number of members was asked."""
    return record.rule is JuryRule.CASCADE and (record.then is None or asked == 1)
