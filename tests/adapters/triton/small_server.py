"""A gRPC server that speaks the part of Triton's protocol that judges need, and fails on request.

The real Triton runs in tests/integration. This one starts in milliseconds and can refuse, hang and change its
checkpoint at a given call.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
import numpy as np
from tritonclient.grpc import service_pb2 as pb
from tritonclient.grpc import service_pb2_grpc
from tritonclient.utils import serialize_byte_tensor

NAME = "judge-aaaaaaaa"
DIGEST = "a" * 64


@dataclass
class SmallTriton(service_pb2_grpc.GRPCInferenceServiceServicer):  # type: ignore[misc]
    """
    models   name -> digest of the judges in the repository
    ready    names of those that are loaded
    failure  (status, text) of every inference, or None
    seconds  that an inference takes
    asked    inferences so far
    refused  loads of these models fail
    credentials  of TLS; None for plain text
    """

    models: dict[str, str] = field(default_factory=lambda: {NAME: DIGEST})
    ready: set[str] = field(default_factory=lambda: {NAME})
    failure: tuple[grpc.StatusCode, str] | None = None
    seconds: float = 0.0
    asked: int = 0
    refused: set[str] = field(default_factory=set)
    address: str = ""
    server: Any = None
    credentials: grpc.ServerCredentials | None = None

    async def start(self) -> None:
        """Listen, on the former port after a stop."""
        self.server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
        service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(self, self.server)
        address = self.address or "127.0.0.1:0"
        port = (
            self.server.add_insecure_port(address)
            if self.credentials is None
            else self.server.add_secure_port(address, self.credentials)
        )
        self.address = f"127.0.0.1:{port}"
        await self.server.start()

    async def stop(self) -> None:
        await self.server.stop(None)

    async def ServerLive(self, request: Any, context: Any) -> Any:
        return pb.ServerLiveResponse(live=True)

    async def ModelReady(self, request: Any, context: Any) -> Any:
        return pb.ModelReadyResponse(ready=request.name in self.ready)

    async def ModelConfig(self, request: Any, context: Any) -> Any:
        if request.name not in self.ready:
            await context.abort(grpc.StatusCode.NOT_FOUND, f"unknown model: {request.name}")
        answer = pb.ModelConfigResponse()
        answer.config.name = request.name
        values = {
            "checkpoint_digest": self.models[request.name],
            "template_id": "judgelm-v1",
            "max_input_tokens": "2048",
        }
        for key, value in values.items():
            answer.config.parameters[key].string_value = value
        return answer

    async def ModelStatistics(self, request: Any, context: Any) -> Any:
        return pb.ModelStatisticsResponse(
            model_stats=[pb.ModelStatistics(name=name) for name in sorted(self.ready)]
        )

    async def ModelInfer(self, request: Any, context: Any) -> Any:
        self.asked += 1
        await asyncio.sleep(self.seconds)
        if request.model_name not in self.ready:
            await context.abort(grpc.StatusCode.NOT_FOUND, "unknown model")
        if self.failure is not None:
            await context.abort(*self.failure)
        rows = request.inputs[0].shape[0]
        columns: list[tuple[str, str, Any]] = [
            ("text_output", "BYTES", np.array([[b"8 7"]] * rows, dtype=np.object_)),
            ("finish_reason", "BYTES", np.array([[b"stop"]] * rows, dtype=np.object_)),
            ("num_input_tokens", "UINT32", np.full((rows, 1), 9, dtype=np.uint32)),
            ("num_output_tokens", "UINT32", np.full((rows, 1), 3, dtype=np.uint32)),
            ("score_probs", "FP32", np.full((rows, 100), 0.01, dtype=np.float32)),
        ]
        answer = pb.ModelInferResponse(model_name=request.model_name)
        for name, kind, values in columns:
            answer.outputs.add(name=name, datatype=kind, shape=values.shape)
            raw = serialize_byte_tensor(values).item() if kind == "BYTES" else values.tobytes()
            answer.raw_output_contents.append(raw)
        return answer

    async def RepositoryIndex(self, request: Any, context: Any) -> Any:
        answer = pb.RepositoryIndexResponse()
        for name in self.models:
            answer.models.add(name=name, state="READY" if name in self.ready else "UNAVAILABLE")
        return answer

    async def RepositoryModelLoad(self, request: Any, context: Any) -> Any:
        name = request.model_name
        if name not in self.models or name in self.refused:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"failed to load {name}")
        self.ready.add(name)
        return pb.RepositoryModelLoadResponse()

    async def RepositoryModelUnload(self, request: Any, context: Any) -> Any:
        self.ready.discard(request.model_name)
        return pb.RepositoryModelUnloadResponse()


@asynccontextmanager
async def small_tritons(count: int) -> AsyncIterator[list[SmallTriton]]:
    servers = [SmallTriton() for _ in range(count)]
    try:
        for server in servers:
            await server.start()
        yield servers
    finally:
        for server in servers:
            await server.stop()
