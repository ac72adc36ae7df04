"""The real Triton as the local stack starts it: control for holders of the key, inference for all."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from pydantic import SecretStr
from tritonclient.grpc import InferenceServerClient
from tritonclient.utils import InferenceServerException

from judgestream.adapters.triton.control import HEADER, TritonControl, restrictions
from judgestream.adapters.triton.judge import TritonJudge
from judgestream.core.errors import ConfigurationError, JudgeUnavailable, ReleaseNotLoaded
from judgestream.local.triton import TritonServer
from tests.integration.cluster import INSTANT, MODELS

pytestmark = pytest.mark.integration

KEY = SecretStr("5ec4e7" * 8)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TritonServer]:
    # every sign that `require_plain_path` lets through must work
    folder = tmp_path_factory.mktemp("a.b_c-d+e=f@g%h,i")
    shutil.copytree(MODELS / INSTANT, folder / "models" / INSTANT)
    shutil.copytree(MODELS / INSTANT, folder / "models" / "broken")
    (folder / "models" / "broken" / "1" / "model.py").write_text("raise ValueError('no judge')")
    with TritonServer(
        run_dir=folder / "run",
        model_repository=folder / "models",
        models=[INSTANT],
        hidden_arguments=restrictions(KEY),
    ) as running:
        yield running


def test_no_process_shows_the_key(server: TritonServer) -> None:
    assert server.process is not None
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            assert KEY.get_secret_value() not in entry.read_text(errors="replace"), entry
        except OSError:
            continue  # it has ended
    for stub in server.stubs():
        environment = Path(f"/proc/{stub.pid}/environ").read_text(errors="replace")
        assert KEY.get_secret_value() not in environment
    assert KEY.get_secret_value() not in server.log_path.read_text(errors="replace")


CODE = b"import os; os.system('touch /tmp/judgestream-taken-over')"
CONTROL = {
    "load": lambda c, h: c.load_model(INSTANT, headers=h),
    "load other code": lambda c, h: c.load_model(
        "planted",
        headers=h,
        config=json.dumps({"backend": "python", "max_batch_size": 0}),
        files={"file:1/model.py": CODE},
    ),
    "unload": lambda c, h: c.unload_model(INSTANT, headers=h),
    "index": lambda c, h: c.get_model_repository_index(headers=h),
    "log settings": lambda c, h: c.update_log_settings({"log_verbose_level": 9}, headers=h),
    "trace settings": lambda c, h: c.update_trace_settings(
        settings={"trace_level": ["TENSORS"], "trace_rate": "1"}, headers=h
    ),
    "trace of a model": lambda c, h: c.update_trace_settings(
        model_name=INSTANT, settings={"trace_rate": "1"}, headers=h
    ),
    "shared memory": lambda c, h: c.register_system_shared_memory("a", "/a", 8, headers=h),
    "its status": lambda c, h: c.get_system_shared_memory_status(headers=h),
    "its end": lambda c, h: c.unregister_system_shared_memory(headers=h),
    "CUDA's": lambda c, h: c.register_cuda_shared_memory("a", b"AAAA", 0, 8, headers=h),
    "its status on CUDA": lambda c, h: c.get_cuda_shared_memory_status(headers=h),
}
HEADERS = [None, {HEADER: KEY.get_secret_value()}, {f"triton-grpc-protocol-{HEADER}": "wrong"}]


@pytest.mark.parametrize("headers", HEADERS, ids=["none", "without prefix", "wrong"])
@pytest.mark.parametrize("call", CONTROL.values(), ids=CONTROL)
def test_grpc_control_without_the_key_is_refused(
    server: TritonServer, call: object, headers: dict[str, str] | None
) -> None:
    assert callable(call)
    with InferenceServerClient(server.grpc_url) as client:
        with pytest.raises(InferenceServerException, match="restricted"):
            call(client, headers)
        assert client.is_model_ready(INSTANT)
    assert not Path("/tmp/judgestream-taken-over").exists()  # noqa: S108


PATHS = [
    f"repository/models/{INSTANT}/load",
    f"repository/models/{INSTANT}/unload",
    "repository/index",
    "logging",
    "trace/setting",
    f"models/{INSTANT}/trace/setting",
    "systemsharedmemory/region/a/register",
    "systemsharedmemory/unregister",
    "cudasharedmemory/unregister",
]
# A web page can send these without asking the server first; a header of our own it cannot.
FROM_A_PAGE = {
    "Content-Type": "text/plain",
    "Origin": "http://elsewhere.example",
    "Host": "elsewhere.example",
}


@pytest.mark.parametrize("headers", [{}, FROM_A_PAGE, {HEADER: "wrong"}], ids=["", "page", "wrong"])
@pytest.mark.parametrize("path", PATHS)
def test_http_control_without_the_key_is_refused(
    server: TritonServer, path: str, headers: dict[str, str]
) -> None:
    request = Request(f"http://{server.http_url}/v2/{path}", data=b"{}", headers=headers)  # noqa: S310
    with pytest.raises(HTTPError) as refused:
        urlopen(request, timeout=10)  # noqa: S310
    assert refused.value.code == 403
    refused.value.close()


def test_a_preflight_of_a_page_is_not_answered(server: TritonServer) -> None:
    request = Request(f"http://{server.http_url}/v2/repository/index", method="OPTIONS")  # noqa: S310
    with pytest.raises(HTTPError) as refused:
        urlopen(request, timeout=10)  # noqa: S310
    assert refused.value.code >= 400
    assert not any("allow-origin" in name.lower() for name in refused.value.headers)
    refused.value.close()


def test_the_metrics_port_only_shows_metrics(server: TritonServer) -> None:
    address = server.metrics_url.removesuffix("/metrics")
    for path in ("/v2/repository/index", f"/v2/repository/models/{INSTANT}/load", "/metrics"):
        with pytest.raises(HTTPError) as refused:
            urlopen(Request(address + path, data=b"{}"), timeout=10)  # noqa: S310
        assert refused.value.code == 405
        refused.value.close()


async def test_a_worker_finds_and_asks_its_judge_without_the_key(server: TritonServer) -> None:
    judge = await TritonJudge.connect(server.grpc_url, "", deadline_s=10.0)
    assert judge.release.name == INSTANT
    await judge.close()


async def test_the_holder_of_the_key_loads_and_unloads(server: TritonServer) -> None:
    async with TritonControl(server.grpc_url, KEY) as control:
        found = {model.name: model for model in await control.index()}
        assert found[INSTANT].ready and not found["broken"].ready
        await control.unload(INSTANT)
        assert not any(model.ready for model in await control.index())
        await control.unload(INSTANT)  # once more is not an error
        with pytest.raises(ReleaseNotLoaded):
            await TritonJudge.connect(server.grpc_url, INSTANT, deadline_s=10.0)
        await control.load(INSTANT)
        assert [model.name for model in await control.index() if model.ready] == [INSTANT]


async def test_what_cannot_be_loaded_says_why(server: TritonServer) -> None:
    async with TritonControl(server.grpc_url, KEY) as control:
        with pytest.raises(ConfigurationError, match="no judge"):
            await control.load("broken")
        with pytest.raises(ConfigurationError, match="cannot load release nobody"):
            await control.load("nobody")
        assert [model.name for model in await control.index() if model.ready] == [INSTANT]


@pytest.mark.parametrize("key", ["", "wrong"])
async def test_a_wrong_key_is_told_with_its_setting(server: TritonServer, key: str) -> None:
    async with TritonControl(server.grpc_url, SecretStr(key)) as control:
        for call in (control.index(), control.load(INSTANT), control.unload(INSTANT)):
            with pytest.raises(ConfigurationError, match="JUDGESTREAM_TRITON__CONTROL_KEY"):
                await call


async def test_no_server_is_told_as_such() -> None:
    async with TritonControl("127.0.0.1:9", KEY) as control:
        with pytest.raises(JudgeUnavailable, match=r"127\.0\.0\.1:9"):
            await control.index()
