"""Two releases' verdicts on the same request, as pairs."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from judgestream.core.types import Verdict


class Judged(NamedTuple):
    """The identity of what was judged, whichever release judged it."""

    request_id: str
    mode: str
    content: str

    @classmethod
    def of(cls, verdict: Verdict) -> "Judged | None":
        """None for a verdict without a content digest, of a record that was not decoded or of an old version:
        nothing shows that another verdict under its request id is about the same content."""
        if not verdict.content_digest:
            return None
        return cls(verdict.request_id, verdict.mode, verdict.content_digest)


def prompt_of(verdict: Verdict) -> str:
    """The prompt that the verdict is about, whose verdicts are one cluster; of old versions the content."""
    return verdict.prompt_digest or verdict.content_digest


def ambiguous_ids(judged: Iterable[Judged]) -> set[str]:
    """Request ids that were used for more than one content: which of them a label means is unknown."""
    contents: dict[str, str] = {}
    found: set[str] = set()
    for one in judged:
        if contents.setdefault(one.request_id, one.content) != one.content:
            found.add(one.request_id)
    return found


def pairs(first: Iterable[Verdict], second: Iterable[Verdict]) -> Iterator[tuple[Verdict, Verdict]]:
    """The verdicts of two releases on the same requests, in the order of the first ones."""
    others = {key: one for one in second if (key := Judged.of(one)) is not None}
    for one in first:
        key = Judged.of(one)
        if key is not None and (other := others.get(key)) is not None:
            yield one, other
