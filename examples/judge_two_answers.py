"""One judgement: submit a pair of answers and wait for the verdict."""

from judgestream.client import judge, pair

verdict = judge(pair("What is 2 + 2?", "4", "5"))

print(f"winner: {verdict.winner or 'tie'}")
if verdict.p_win is not None:
    print(f"P(first better) = {verdict.p_win:.3f}, P(tie) = {verdict.p_tie:.3f}")
print(f"the two orders disagree: {verdict.flipped}")
