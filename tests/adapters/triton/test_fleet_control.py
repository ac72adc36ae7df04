"""Control of all servers: loads with a least number, and memory from Triton's metrics."""

import pytest
from pydantic import SecretStr

from judgestream.adapters.triton.fleet_control import FleetControl
from judgestream.adapters.triton.server_memory import free_memory, from_metrics, is_this_machine
from judgestream.core.errors import ConfigurationError, JudgestreamError, JudgeUnavailable
from judgestream.core.fleet.memory import FreeMemory
from tests.adapters.triton.small_server import NAME, SmallTriton, small_tritons

NO_KEY = SecretStr("")


def control_of(servers: list[SmallTriton], *more: str) -> FleetControl:
    return FleetControl(",".join([*(server.address for server in servers), *more]), NO_KEY)


async def test_a_release_is_loaded_everywhere_and_unloaded() -> None:
    async with small_tritons(3) as servers, control_of(servers) as control:
        for server in servers:
            server.models |= {"front": "f", "front-engine": "e"}
        servers[2].refused.add("front-engine")
        outcome = await control.load_everywhere(["front-engine", "front"], least=2)
        assert outcome.done == (servers[0].address, servers[1].address)
        assert "failed to load front-engine" in outcome.text()
        assert await control.ready_on("front") == outcome.done
        assert await control.enough("front", 2) and not await control.enough("front", 3)
        assert servers[2].ready == {NAME}, "the front is not loaded without its engine"
        gone = await control.unload_everywhere(["front-engine", "front"])
        assert len(gone.done) == 3 and await control.ready_on("front") == ()


async def test_too_few_servers_is_an_error_that_names_them() -> None:
    async with small_tritons(2) as servers, control_of(servers, "127.0.0.1:9") as control:
        assert (await control.load_everywhere([NAME], least=2)).failed.keys() == {"127.0.0.1:9"}
        with pytest.raises(JudgeUnavailable, match=r"2 of 3 Tritons .* 3 must: 127\.0\.0\.1:9"):
            await control.load_everywhere([NAME], least=3)
        servers[0].refused.add(NAME)
        with pytest.raises(ConfigurationError, match="failed to load"):
            await control.load_everywhere([NAME], least=2)
        with pytest.raises(ConfigurationError, match="lower the number"):
            async with control_of(servers[1:]) as single:
                await single.load_everywhere([NAME], least=2)
        index = await control.index()
        assert isinstance(index["127.0.0.1:9"], JudgestreamError)
        assert await control.ready_on(NAME) == (servers[0].address, servers[1].address)


async def test_a_draining_server_does_not_count_as_ready() -> None:
    async with small_tritons(2) as servers:

        async def drains() -> frozenset[str]:
            return frozenset({servers[0].address})

        text = ",".join(server.address for server in servers)
        async with FleetControl(text, NO_KEY, drains=drains) as control:
            assert await control.enough(NAME, 1) and not await control.enough(NAME, 2)


async def test_a_load_without_the_memory_for_it_is_refused() -> None:
    async with small_tritons(1) as servers, control_of(servers) as control:
        servers[0].models["large"] = "l"
        with pytest.raises(ConfigurationError, match="main memory has"):
            await control.load_everywhere(["large"], need=2**60)
        assert "large" not in servers[0].ready
        await control.load_everywhere([NAME], need=2**60)  # it is loaded already
        await control.load_everywhere(["large"], need=1)
        ((memory,),) = (await control.free_memory()).values()
        assert memory.device == "main memory" and 0 < memory.free < memory.total


GPUS = """
# HELP nv_gpu_memory_total_bytes GPU total memory, in bytes
nv_gpu_memory_total_bytes{gpu_uuid="GPU-1"} 85520809984.000000
nv_gpu_memory_total_bytes{gpu_uuid="GPU-2"} 85520809984
nv_gpu_memory_used_bytes{gpu_uuid="GPU-1"} 520809984.0
nv_gpu_memory_used_bytes{gpu_uuid="GPU-3"} 1
nv_cpu_memory_total_bytes 1000
nv_cpu_memory_used_bytes 400
"""


def test_gpus_come_before_main_memory_and_half_figures_do_not_count() -> None:
    gpu = FreeMemory(device="GPU-1", free=85_000_000_000, total=85_520_809_984)
    assert from_metrics(GPUS) == (gpu,)
    main = FreeMemory(device="main memory", free=600, total=1000)
    assert from_metrics(GPUS[GPUS.index("nv_cpu") :]) == (main,)
    assert from_metrics("nv_gpu_memory_total_bytes{} e1\nnonsense") == ()


async def test_memory_of_this_machine_and_of_an_unknown_one() -> None:
    assert is_this_machine("127.0.0.1") and not is_this_machine("192.0.2.1")
    assert not is_this_machine("no-such-host.invalid")
    (memory,) = await free_memory("127.0.0.1", 9)
    assert memory.device == "main memory"
    assert await free_memory("192.0.2.1", 0) == ()
