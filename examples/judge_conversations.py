"""Two conversations compared, whole and by their last turn."""

from judgestream.client import Candidate, Focus, Options, Turn, conversations, judge

OPENING = (
    Turn(role="user", text="What is the capital of Australia?"),
    Turn(role="assistant", text="Canberra."),
    Turn(role="user", text="And what is 15 % of its 450,000 people?"),
)
FIRST = Candidate(id="short", turns=(*OPENING, Turn(role="assistant", text="67,500.")))
SECOND = Candidate(id="lost", turns=(*OPENING, Turn(role="assistant", text="Sydney is larger.")))

for focus in Focus:
    verdict = judge(conversations(FIRST, SECOND, options=Options(focus=focus)))
    print(f"{focus}: winner {verdict.winner or 'none, a tie'}, orders disagree: {verdict.flipped}")
