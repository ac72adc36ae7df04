"""The options that an endpoint accepts, before it is installed: see `backends.chat.probing`."""

import asyncio
from collections.abc import Set
from dataclasses import replace

from judgestream.adapters.releases.endpoint import RemoteJudge
from judgestream.backends.chat.base_url import check_base_url
from judgestream.backends.chat.endpoint import Endpoint
from judgestream.backends.chat.probing import Finding, probed
from judgestream.backends.chat.request_options import Choice


def probed_judge(
    judge: RemoteJudge, key: str, chosen: Set[Choice] = frozenset()
) -> tuple[RemoteJudge, Finding]:
    """The judge with the options that its endpoint accepts, and how they were found.

    Args:
        key: of the endpoint; "" without one.
        chosen: what the user has chosen, so that it is not changed.

    Raises:
        ConfigurationError: the endpoint does not answer the known good prompt.
    """
    check_base_url(judge.endpoint)
    endpoint = Endpoint(
        url=judge.endpoint,
        model=judge.endpoint_model,
        key=key,
        top_logprobs=judge.top_logprobs,
        thinking_tokens=judge.thinking_tokens,
        deadline_s=judge.deadline_s,
        options=judge.options,
    )
    found = asyncio.run(probed(endpoint, judge.judged_by(), chosen))
    used = found.endpoint
    judge = replace(
        judge,
        top_logprobs=used.top_logprobs,
        thinking_tokens=used.thinking_tokens,
        options=used.options,
    )
    return judge, found
