"""The smoke judgement of a release that was loaded: a known good prompt, and one pair in both orders."""

from dataclasses import replace

from judgestream.adapters.tls.client import PLAINTEXT, ClientTls
from judgestream.adapters.triton.judge import TritonJudge
from judgestream.adapters.triton.known_good import ask_known_good, members_of
from judgestream.core.errors import ConfigurationError
from judgestream.core.modes import PAIRWISE, plan
from judgestream.core.probe import KNOWN_GOOD
from judgestream.core.types import Options, Orders, Unreadable
from judgestream.template_files import template_of

PAIR = replace(KNOWN_GOOD, request_id="judgestream-smoke", options=Options(orders=Orders.BOTH))


async def smoke_judgement(
    address: str, release: str, *, digest: str, deadline_s: float, tls: ClientTls = PLAINTEXT
) -> None:
    """Judge one pair with a release, or with every member of a jury.

    Args:
        digest: of the checkpoint that the release must have; "" for any.

    Raises:
        ConfigurationError: another checkpoint answers, or a reply has no reading. The message says which.
        JudgestreamError: it is not loaded or does not answer.
    """
    await ask_known_good(address, release, deadline_s=deadline_s, tls=tls)
    await _check_digest(address, release, digest, deadline_s, tls)
    for name in await members_of(address, release, deadline_s=deadline_s, tls=tls) or (release,):
        judge = await TritonJudge.connect(address, name, deadline_s=deadline_s, tls=tls)
        try:
            passes = plan(PAIR, PAIRWISE, template_of(judge.release))
            replies = await judge.ask(passes)
        finally:
            await judge.close()
        for one, reply in zip(passes, replies, strict=True):
            reading = one.result(reply).reading
            if isinstance(reading, Unreadable):
                raise ConfigurationError(
                    f"release {name} is loaded, but its reply to a simple pair cannot be read:"
                    f" {reading.reason}"
                )


async def _check_digest(
    address: str, release: str, digest: str, deadline_s: float, tls: ClientTls
) -> None:
    judge = await TritonJudge.connect(address, release, deadline_s=deadline_s, tls=tls)
    await judge.close()
    theirs = judge.release.checkpoint_digest
    if digest and theirs != digest:
        raise ConfigurationError(
            f"Triton at {address} has checkpoint {theirs[:8]} under the name {release}, not {digest[:8]}:"
            " load the release that belongs there"
        )
