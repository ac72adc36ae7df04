"""One checkpoint under two templates, on the same requests."""

from dataclasses import replace

from judgestream.core.types import Status, Verdict
from judgestream.evaluation.format_consistency import format_consistency
from tests.core.build import verdict


def judged(request: str, winner: str, template: str, checkpoint: str = "c") -> Verdict:
    return replace(
        verdict(winner=winner, tie=not winner),
        verdict_id=f"{request}{template}",
        request_id=request,
        template_id=template,
        checkpoint_digest=checkpoint,
        content_digest="same",
        prompt_digest=request[0],
    )


def test_the_share_of_equal_preferences() -> None:
    rows = [judged(f"a{k}", "a", "chat") for k in range(4)]
    rows += [judged(f"a{k}", "a" if k else "", "judgelm") for k in range(4)]
    rows += [judged("b1", "a", "chat"), judged("b1", "b", "judgelm"), judged("b2", "b", "chat")]
    (found,) = format_consistency(rows)
    assert found.templates == ("chat", "judgelm")
    assert (found.share.value, found.share.n, found.share.clusters) == (3 / 5, 5, 2)


def test_other_checkpoints_contents_and_unread_verdicts_do_not_meet() -> None:
    one = judged("a", "a", "chat")
    others = [
        judged("a", "a", "judgelm", checkpoint="d"),
        judged("a", "a", "x", checkpoint=""),
        replace(judged("a", "a", "judgelm"), content_digest="other"),
        replace(judged("a", "", "judgelm"), status=Status.UNSCORED, tie=False),
    ]
    assert format_consistency([one, *others]) == ()
