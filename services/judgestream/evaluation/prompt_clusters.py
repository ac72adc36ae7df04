"""The cluster of a verdict: verdicts on one prompt are right or wrong together, so they count as one."""

from judgestream.core.types import Verdict

Cluster = tuple[str, str]


def cluster_of(verdict: Verdict, metadata_key: str = "") -> Cluster:
    """The value of a metadata key where one is named and there, else the prompt, else the request itself.

    Verdicts of versions that did not state their prompt are separate clusters.
    """
    named = verdict.metadata.get(metadata_key, "") if metadata_key else ""
    if named:
        return "named", named
    if verdict.prompt_digest:
        return "prompt", verdict.prompt_digest
    return "request", verdict.request_id
