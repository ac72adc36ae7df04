"""One error tree. Each class says whether trying again can help, and carries a stable `code`.

JudgestreamError
├── ConfigurationError           a setting or an installation is wrong; mend it and start again
├── PoisonError                  this record can never be judged as it is: it is dead-lettered
│   ├── UndecodableRecord        the bytes are not a record of this topic
│   ├── UnreadableBatch          what the broker returns cannot be taken apart: damaged, or an unknown form
│   ├── SkippedByHand            somebody has set the record aside: `judgestream dlq skip`
│   ├── OversizeRecord           more bytes than a request may have
│   ├── InvalidRequest           decoded, but a field is missing or contradicts another
│   │   ├── UnknownMode          no such mode
│   │   └── EmptyQuestion        nothing was asked
│   ├── PromptTooLong            more tokens than the judge's context holds
│   ├── RejectedByJudge          the judge refuses this input for another reason
│   ├── TooOld                   retryable failures went on for longer than the stated age
│   └── InternalError            a bug of ours: set aside whole, to be replayed once it is mended
└── RetryableError               the same call may succeed later: back off and try again
    ├── JudgeUnavailable         no connection to Triton, or the release is not loaded (yet)
    ├── JudgeOverloaded          the judge's queue is full
    ├── JudgeDeadlineExceeded    no answer in time
    ├── JudgeUnhealthy           the judge's process died inside Triton
    ├── BrokerUnavailable        Kafka does not take or confirm a record
    └── StoreUnavailable         Redis does not answer

Foreign errors are translated once, in `adapters`, always with `raise ... from`. Routing is on the
class, never on the text. A reply that cannot be read is no error: see `types.Unreadable`.
"""

from typing import ClassVar


class JudgestreamError(Exception):
    """Anything this package raises on purpose. The message names the thing and the mend."""

    code: ClassVar[str] = "error"
    retryable: ClassVar[bool] = False


class ConfigurationError(JudgestreamError):
    code = "configuration"


class PoisonError(JudgestreamError):
    code = "poison"


class UndecodableRecord(PoisonError):
    code = "undecodable"


class UnreadableBatch(PoisonError):
    code = "unreadable_batch"


class SkippedByHand(PoisonError):
    code = "skipped_by_hand"


class OversizeRecord(PoisonError):
    code = "oversize"


class InvalidRequest(PoisonError):
    code = "invalid_request"


class UnknownMode(InvalidRequest):
    code = "unknown_mode"


class EmptyQuestion(InvalidRequest):
    code = "empty_question"


class PromptTooLong(PoisonError):
    code = "prompt_too_long"


class RejectedByJudge(PoisonError):
    code = "rejected_by_judge"


class TooOld(PoisonError):
    code = "too_old"


class InternalError(PoisonError):
    code = "internal_error"


class RetryableError(JudgestreamError):
    code = "retryable"
    retryable = True


class JudgeUnavailable(RetryableError):
    code = "judge_unavailable"


class JudgeOverloaded(RetryableError):
    code = "judge_overloaded"


class JudgeDeadlineExceeded(RetryableError):
    code = "judge_deadline_exceeded"


class JudgeUnhealthy(RetryableError):
    code = "judge_unhealthy"


class BrokerUnavailable(RetryableError):
    code = "broker_unavailable"


class StoreUnavailable(RetryableError):
    code = "store_unavailable"
