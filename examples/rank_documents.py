"""Documents ranked by whether they help with a query, alone and together with a retriever's scores."""

from judgestream.client import Candidate, Options, judge, rerank

QUERY = "Why do leaves turn red in autumn?"
DOCUMENTS = [
    Candidate(
        id="pigments",
        text="Anthocyanins form in autumn leaves while the green chlorophyll breaks down.",
        first_stage_score=7.5,
    ),
    Candidate(id="roots", text="Roots take up water and minerals.", first_stage_score=2.0),
    Candidate(
        id="red",
        text="Red leaves, red wine and red cars: our favourite photographs.",
        first_stage_score=9.0,
    ),
]

for name, options in (
    ("judge alone", Options()),
    # analyses the query and every document first; a hybrid adds the scores of the retriever
    ("hybrid", Options(explain=True, max_explanation_tokens=32, hybrid_weight=100)),
):
    verdict = judge(rerank(QUERY, DOCUMENTS, options=options))
    print(f"{name}: {verdict.status}")
    for score in sorted(verdict.scores, key=lambda score: score.rank):
        print(f"  {score.rank}. {score.candidate_id}: {score.score}")
