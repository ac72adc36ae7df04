"""Publish many requests. Leaving the block waits until Kafka has confirmed all of them."""

from judgestream.client import Producer, pair

QUESTIONS = {
    "What is 2 + 2?": ("4", "5"),
    "What is 3 + 5?": ("9", "8"),
    "What is 7 - 4?": ("3", "three"),
}

with Producer() as producer:
    for k, (question, (first, second)) in enumerate(QUESTIONS.items(), start=1):
        request = pair(question, first, second, request_id=f"example-{k}", metadata={"run": "demo"})
        producer.submit(request)

print(f"published {len(QUESTIONS)} requests")
