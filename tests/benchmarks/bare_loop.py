"""The other side: the least code that turns requests into verdicts with the same delivery guarantee.

aiokafka and tritonclient alone: poll, ask Triton once per pass with as many in flight as the worker has,
await every verdict's delivery, commit, poll again. No Faust, no settling, no retries, no dead letters.
"""

import asyncio
import sys

import numpy as np
import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from tritonclient.grpc.aio import InferenceServerClient, InferInput, InferRequestedOutput

from judgestream.contracts.topics import REQUESTS, VERDICTS
from judgestream.contracts.triton_interface import OUTPUTS
from judgestream.core.templates import JUDGELM
from judgestream.v1.judging_pb2 import JudgeRequest, PassReading, Verdict

INFLIGHT = 64
PAIR = JUDGELM.forms["pair"]
REQUESTED = [InferRequestedOutput(name) for name in OUTPUTS]


async def loop(bootstrap: str, triton: str, model: str, group: str) -> None:
    consumer = AIOKafkaConsumer(
        REQUESTS.name,
        bootstrap_servers=bootstrap,
        group_id=group,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap, acks="all", linger_ms=0, max_batch_size=262_144
    )
    client = InferenceServerClient(triton)
    await consumer.start()
    await producer.start()
    room = asyncio.Semaphore(INFLIGHT)

    async def ask(prompt: str) -> PassReading:
        tensor = InferInput("text_input", [1, 1], "BYTES")
        tensor.set_data_from_numpy(np.array([[prompt.encode()]], dtype=np.object_))
        result = await client.infer(model, [tensor], outputs=REQUESTED, client_timeout=30)
        return PassReading(text=result.as_numpy("text_output")[0].item().decode())

    async def one(value: bytes) -> None:
        async with room:
            request = JudgeRequest.FromString(value)
            first, second = (candidate.text for candidate in request.candidates)
            passes = await asyncio.gather(
                ask(PAIR.render(request.question, (first, second), None)),
                ask(PAIR.render(request.question, (second, first), None)),
            )
            verdict = Verdict(request_id=request.request_id, passes=passes)
            await producer.send_and_wait(
                VERDICTS.name, verdict.SerializeToString(), key=request.request_id.encode()
            )

    while True:
        records = await consumer.getmany(timeout_ms=500, max_records=500)
        await asyncio.gather(*(one(r.value) for batch in records.values() for r in batch))
        if records:
            await consumer.commit()


if __name__ == "__main__":
    uvloop.run(loop(*sys.argv[1:5]))
