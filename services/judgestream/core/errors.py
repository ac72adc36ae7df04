"""The error tree. Each class has a stable `code`; its branch determines how the error is handled.

JudgestreamError
├── ConfigurationError           a setting or an installation is wrong: correct it and restart
├── PoisonError                  the record cannot be judged as it is: it is dead-lettered
│   ├── UndecodableRecord        the bytes are not a record of this topic
│   ├── UnreadableBatch          the broker's batch cannot be parsed: damaged, or an unknown format
│   ├── SkippedByHand            the record was set aside by `judgestream dlq skip`
│   ├── OversizeRecord           larger than a request may be
│   ├── InvalidRequest           a field is missing, invalid or contradicts another
│   │   ├── UnknownMode          no such mode
│   │   ├── UnsupportedMode      the release's template has no prompt form for the mode
│   │   └── EmptyQuestion        the question is empty
│   ├── ImageUnavailable     an image of the request cannot be fetched: replay when its server answers
│   ├── PromptTooLong            more tokens than the judge's context holds
│   ├── RejectedByJudge          the judge refuses the input for another reason, or its reply is malformed
│   ├── JudgeFailed              the model fails repeatedly on this input, but not on others
│   ├── TooOld                   retryable failures lasted longer than the configured age
│   └── InternalError            an unexpected error: dead-lettered unchanged; replay after the fix
├── ReleaseError                 the release cannot judge any request until an operator acts: it pauses
│   ├── KeyRefused               the endpoint rejects the key (401, 403)
│   ├── BudgetSpent              the release's own budget is spent, for today or in total
│   ├── QuotaExhausted           the account has no quota left (402, or a permanent 429)
│   ├── ModelUnknown             the endpoint has no such model or is not a chat endpoint (404)
│   ├── RequestsRefused          the endpoint refuses every request, even a known good one
│   ├── EndpointUnreachable      its name does not resolve, or its certificate is not trusted
│   ├── ReleaseNotLoaded         Triton runs but has not loaded the release
│   ├── ReleaseChanged           another checkpoint is loaded under the release's name
│   ├── JudgeUnhealthy           the judge's process died inside Triton
│   └── JudgeBroken              the model fails even on a known good prompt
└── RetryableError               the same call may succeed later: back off and retry
    ├── JudgeUnavailable         no connection to Triton or to the endpoint behind it
    ├── JudgeOverloaded          the judge's queue is full, or the endpoint limits the rate
    ├── JudgeDeadlineExceeded    no response within the deadline
    ├── JudgeError               the model failed on this call; retried a few times, alone
    ├── BrokerUnavailable        Kafka does not accept or confirm a record
    │   └── AccessDenied         Kafka refuses the login, the certificate or a right: an operator must act
    └── StoreUnavailable         Redis does not respond

So a judge's failure concerns one request (PoisonError: a dead letter), the release (ReleaseError: requests
are held and a known good prompt is sent from time to time), or neither (RetryableError). Errors of libraries
are translated once, in `adapters`, with `raise ... from`. Handling depends on the class, never on the text. A
reply that cannot be parsed is not an error: see `types.Unreadable`.
"""

from typing import ClassVar


class JudgestreamError(Exception):
    """Base class of this package's errors. The message says what is wrong and how to fix it."""

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


class ImageUnavailable(PoisonError):
    code = "image_unavailable"


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
    """The release is paused. `code` is also the reason in the metrics."""

    code = "release_paused"


class KeyRefused(ReleaseError):
    code = "key_refused"


class BudgetSpent(ReleaseError):
    code = "budget_spent"


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


class AccessDenied(BrokerUnavailable):
    code = "access_denied"


class StoreUnavailable(RetryableError):
    code = "store_unavailable"


def codes_of(branch: type[JudgestreamError]) -> tuple[str, ...]:
    """The codes of this class and of all classes below it, which are all the values of a label."""
    below = (code for one in branch.__subclasses__() for code in codes_of(one))
    return (branch.code, *below)
