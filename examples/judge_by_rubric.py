"""An answer scored for the criteria of a rubric, and a question to the judge about one of them."""

from judgestream.client import Criterion, Options, Rubric, by_rubric, follow_up, judge

RUBRIC = Rubric(
    criteria=(
        Criterion(
            id="facts",
            description="Every statement is true.",
            low=1,
            high=5,
            weight=3,
            pass_threshold=4,
        ),
        Criterion(id="tone", description="A nine-year-old understands it.", low=0, high=100),
    ),
    pass_threshold=0.6,
)
request = by_rubric(
    "Why is the sky blue?",
    "Air scatters blue sunlight more than red sunlight.",
    RUBRIC,
    options=Options(explain=True, max_explanation_tokens=64),
)

verdict = judge(request)
print(f"{verdict.status}, passed: {verdict.passed}")
for score in verdict.scores:
    print(f"total {score.score:.2f}, 95 % of it from {score.low:.2f} to {score.high:.2f}")
    for criterion in score.criteria:
        print(f"  {criterion.criterion_id}: {criterion.score:.1f}, passed: {criterion.passed}")

answer = judge(follow_up(request, verdict, "What would make it better?", criterion="tone"))
print(f"the judge says: {answer.explanation}")
