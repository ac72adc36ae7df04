"""The counts that one verdict adds to the windows of its release.

The bias worker's store and the recount of a topic count the same contributions by the same rule:

- Of the verdicts with one id (of one request and release), the one with the greatest `finality` counts.
- The failed verdict of a request that could not be decoded counts only while its request and release have no
  scored or unscored one, whatever its id.

Neither depends on the order of arrival, nor on how often a verdict arrives.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from judgestream.core import limits, verdict_set
from judgestream.core.types import Status, Verdict
from judgestream.evaluation.probes import PROBES, Probes, observe
from judgestream.evaluation.time_windows import EPOCH

BUCKETS = 16_384
"""Number of buckets in which prompts are counted, by a digest. It bounds what a window holds. Two prompts of
one bucket count as one cluster: the intervals stay valid, on a little fewer clusters."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Contribution:
    """The counts of one verdict, and where they belong.

    judgement    digest of the request id and the release
    time         event time, see `event_time`
    finality     28 decimal digits; of one judgement and verdict id, the greatest counts
    settled      scored or unscored
    undecodable  the failed verdict of a request that could not be decoded
    bucket       of its prompt, four hex digits
    """

    judgement: str
    verdict_id: str
    release: str
    time: datetime
    finality: str
    settled: bool
    undecodable: bool
    bucket: str
    counts: Mapping[str, int]


def contribution(verdict: Verdict, probes: Probes = PROBES) -> Contribution:
    """The contribution of a verdict for which `verdict.is_counted` holds.

    Raises:
        ValueError: it has no id, no time, or an id or release name over its limit.
    """
    if not verdict.verdict_id or verdict.requested_at <= EPOCH:
        raise ValueError("a verdict needs verdict_id and requested_at")
    if len(verdict.verdict_id) > limits.ID or len(verdict.release.encode()) > limits.RELEASE:
        raise ValueError("its release or verdict id is too long")
    counts = observe(verdict, probes)
    time, bucket = event_time(verdict), bucket_of(verdict)
    told = "\n".join([str(time), bucket, *(f"{name} {counts[name]}" for name in sorted(counts))])
    failed = verdict.status is Status.FAILED
    return Contribution(
        judgement=_hex(f"{verdict.release}\n{verdict.request_id}")[:24],
        verdict_id=verdict.verdict_id,
        release=verdict.release,
        time=time,
        finality=_finality(verdict, told),
        settled=not failed,
        undecodable=failed and not verdict.content_digest,
        bucket=bucket,
        counts=counts,
    )


def event_time(verdict: Verdict) -> datetime:
    """When the judgement was requested; the time of the verdict, where a producer's clock was ahead of it."""
    judged = verdict.judged_at
    return min(verdict.requested_at, judged) if judged > EPOCH else verdict.requested_at


def bucket_of(verdict: Verdict) -> str:
    """The bucket of its prompt. An older verdict does not state its prompt: its content stands for it."""
    prompt = verdict.prompt_digest or verdict.content_digest or verdict.verdict_id
    return f"{int(_hex(prompt)[8:16], 16) % BUCKETS:04x}"


def _finality(verdict: Verdict, told: str) -> str:
    """The order of `verdict_set.finality`, as digits: to the millisecond, then by a digest that is the same
    for equal contributions only."""
    rank, judged = verdict_set.finality(verdict)
    milliseconds = (judged - EPOCH) // timedelta(milliseconds=1)
    return f"{rank}{milliseconds:015d}{int(_hex(told), 16) % 10**12:012d}"


def _hex(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()
