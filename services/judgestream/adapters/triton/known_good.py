"""The known good prompt, sent to a release in Triton."""

from judgestream.adapters.tls.client import PLAINTEXT, ClientTls
from judgestream.adapters.triton.judge import TritonJudge
from judgestream.core.jury import JuryRecord, is_jury
from judgestream.core.probe import known_good
from judgestream.template_files import template_of


async def ask_known_good(
    address: str, release: str, *, deadline_s: float, tls: ClientTls = PLAINTEXT
) -> None:
    """Ask a release, or every member of a jury, the known good prompt.

    Raises:
        JudgestreamError: it is not loaded or does not answer.
    """
    for name in await members_of(address, release, deadline_s=deadline_s, tls=tls) or (release,):
        judge = await TritonJudge.connect(address, name, deadline_s=deadline_s, tls=tls)
        try:
            await judge.ask(known_good(template_of(judge.release)))
        finally:
            await judge.close()


async def members_of(
    address: str, release: str, *, deadline_s: float, tls: ClientTls = PLAINTEXT
) -> tuple[str, ...]:
    """The members of a jury; () for a single release. Raises as `TritonJudge.connect`."""
    judge = await TritonJudge.connect(address, release, deadline_s=deadline_s, tls=tls)
    await judge.close()
    if not is_jury(judge.parameters):
        return ()
    return tuple(member.release for member in JuryRecord.of(judge.parameters).members)
