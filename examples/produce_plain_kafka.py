"""Publish a request as JSON with a plain Kafka client: no judgestream, no headers, any codec."""

import json
import os

from kafka import KafkaProducer

bootstrap = os.environ.get("JUDGESTREAM_KAFKA__BOOTSTRAP", "127.0.0.1:29092")
request = {
    "requestId": "plain-1",
    "question": "What is 2 + 2?",
    "candidates": [{"id": "a", "text": "4"}, {"id": "b", "text": "5"}],
}

producer = KafkaProducer(bootstrap_servers=bootstrap, compression_type="lz4")
producer.send("judge.requests.v1", key=b"plain-1", value=json.dumps(request).encode()).get(30)
producer.close()
print("published plain-1")
