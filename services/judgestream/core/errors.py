"""One error tree. Each class carries a stable `code`, and its branch says what is done about it.

JudgestreamError
├── ConfigurationError           a setting or an installation is wrong; correct it and start again
├── PoisonError                  this record can never be judged as it is: it is dead-lettered
│   ├── UndecodableRecord        the bytes are not a record of this topic
│   ├── UnreadableBatch          what the broker returns cannot be taken apart: damaged, or an unknown form
│   ├── SkippedByHand            somebody has set the record aside: `judgestream dlq skip`
│   ├── OversizeRecord           more bytes than a request may have
│   ├── InvalidRequest           decoded, but a field is missing or contradicts another
│   │   ├── UnknownMode          no such mode
│   │   ├── UnsupportedMode      the release's template has no prompt form for the mode
│   │   └── EmptyQuestion        nothing was asked
│   ├── PromptTooLong            more tokens than the judge's context holds
│   ├── RejectedByJudge          the judge refuses this input for another reason, or its reply is garbage
│   ├── JudgeFailed              the model fails on this input again and again, and on others it does not
│   ├── TooOld                   retryable failures went on for longer than the stated age
│   └── InternalError            an unexpected error: set aside whole, to be replayed after the fix
├── ReleaseError                 no request can be judged by this release until somebody acts: it pauses
│   ├── KeyRefused               the endpoint does not accept our key (401, 403)
│   ├── QuotaExhausted           the account behind the key cannot pay (402, or 429 for good)
│   ├── ModelUnknown             the endpoint has no such model, or is not a chat endpoint (404)
│   ├── RequestsRefused          the endpoint refuses every request, a known good one too
│   ├── EndpointUnreachable      its name does not resolve, or its certificate is not trusted
│   ├── ReleaseNotLoaded         Triton is there and has not loaded the release
│   ├── ReleaseChanged           another checkpoint answers under the release's name
│   ├── JudgeUnhealthy           the judge's process died inside Triton
│   └── JudgeBroken              the model fails on a known good prompt, too
└── RetryableError               the same call may succeed later: back off and try again
    ├── JudgeUnavailable         no connection to Triton or to the endpoint behind it
    ├── JudgeOverloaded          the judge's queue is full, or the endpoint limits our rate
    ├── JudgeDeadlineExceeded    no answer in time
    ├── JudgeError               the model failed on this call; tried again a few times, alone
    ├── BrokerUnavailable        Kafka does not take or confirm a record
    └── StoreUnavailable         Redis does not answer

So a failure of a judge has one of three classes: this request only (PoisonError: a dead letter), this release
(ReleaseError: requests are held, a probe asks from time to time, nothing is dead-lettered), or wait
(RetryableError). Foreign errors are translated once, in `adapters`, always with `raise ... from`. Routing is
on the class, never on the text. A reply that cannot be read is not an error: see `types.Unreadable`.
"""

from typing import ClassVar


class JudgestreamError(Exception):
    """Anything this package raises on purpose. The message names the thing and how to fix it."""

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


class UnsupportedMode(InvalidRequest):
    code = "unsupported_mode"


class EmptyQuestion(InvalidRequest):
    code = "empty_question"


class PromptTooLong(PoisonError):
    code = "prompt_too_long"


class RejectedByJudge(PoisonError):
    code = "rejected_by_judge"


class JudgeFailed(PoisonError):
    code = "judge_failed"


class TooOld(PoisonError):
    code = "too_old"


class InternalError(PoisonError):
    code = "internal_error"


class ReleaseError(JudgestreamError):
    """The release is paused: see the module. `code` is the metric's reason class."""

    code = "release_paused"


class KeyRefused(ReleaseError):
    code = "key_refused"


class QuotaExhausted(ReleaseError):
    code = "quota_exhausted"


class ModelUnknown(ReleaseError):
    code = "model_unknown"


class RequestsRefused(ReleaseError):
    code = "requests_refused"


class EndpointUnreachable(ReleaseError):
    code = "endpoint_unreachable"


class ReleaseNotLoaded(ReleaseError):
    code = "release_not_loaded"


class ReleaseChanged(ReleaseError):
    code = "release_changed"


class JudgeUnhealthy(ReleaseError):
    code = "judge_unhealthy"


class JudgeBroken(ReleaseError):
    code = "judge_broken"


class RetryableError(JudgestreamError):
    code = "retryable"
    retryable = True


class JudgeUnavailable(RetryableError):
    code = "judge_unavailable"


class JudgeOverloaded(RetryableError):
    code = "judge_overloaded"


class JudgeDeadlineExceeded(RetryableError):
    code = "judge_deadline_exceeded"


class JudgeError(RetryableError):
    code = "judge_error"


class BrokerUnavailable(RetryableError):
    code = "broker_unavailable"


class StoreUnavailable(RetryableError):
    code = "store_unavailable"
