"""Rankings of several answers: all in one prompt, and in pairs."""

from judgestream.client import Options, Orders, judge_all, multi, tournament

QUESTION = "What is 6 + 7?"
ANSWERS = ["12", "13", "14", "6 + 7 = 13"]

requests = [
    # every answer stands at every position once: four prompts
    multi(QUESTION, ANSWERS, options=Options(orders=Orders.ROTATIONS)),
    # four of the six pairs, each in both orders: eight prompts
    tournament(QUESTION, ANSWERS, options=Options(pairs=4)),
]

for verdict in judge_all(requests):
    print(f"{verdict.mode}: winner {verdict.winner or 'none, a tie'}")
    for place in sorted(verdict.scores, key=lambda score: score.rank):
        answer = ANSWERS[int(place.candidate_id) - 1]
        print(f"  {place.rank}. {answer}: score {place.score:.2f}, P(best) {place.p_best:.2f}")
