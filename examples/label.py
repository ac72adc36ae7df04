"""Publish a person's labels for two requests. `judgestream agreement` then compares verdicts with them."""

from judgestream.client import Producer, label, pair

with Producer() as producer:
    producer.submit(pair("What is 2 + 2?", "4", "5", request_id="labelled-1"))
    producer.label(label("labelled-1", annotator="ann", winner="1"))
    producer.submit(pair("Say hello.", "Hello.", "Hello!", request_id="labelled-2"))
    producer.label(label("labelled-2", annotator="ann", winner=""))  # a tie

print("published 2 requests with labels; now run: judgestream agreement")
