"""Answers about images: by their references alone, and by a judge that sees the images."""

import sys
from pathlib import Path

from judgestream.client import Candidate, Image, judge, multimodal

# Any judge can compare an answer with references. This one is right if it agrees with one of the two.
verdict = judge(multimodal("What is x?", ["It is minus one."], reference="-1<OR>minus one"))
print(f"by reference: {verdict.status}")
for result in verdict.passes:
    print(f"  {result.transform.name}: {result.reading}")

# A release of family `vision` sees images: two files, and which fits the text better.
if len(sys.argv) == 4:
    text, *files = sys.argv[1:]
    answers = [
        Candidate(id=name, text="", images=(Image(data=Path(name).read_bytes()),)) for name in files
    ]
    verdict = judge(multimodal(text, answers))
    print(f"by the images: {verdict.winner or 'tie'}")
