"""Read the verdicts so far and print those whose two candidate orders disagree."""

from judgestream.client import read_verdicts

verdicts = list(read_verdicts())
flipped = [verdict for verdict in verdicts if verdict.flipped]

print(f"{len(verdicts)} verdicts, {len(flipped)} of them flipped")
for verdict in flipped:
    print(f"  {verdict.request_id}: {verdict.winner or 'tie'}, confidence {verdict.confidence}")
