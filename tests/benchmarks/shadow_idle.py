"""CPU time of an idle shadow worker: `python -m tests.benchmarks.shadow_idle [RATE] [SECONDS]`.

Kafka, Valkey and the worker run on this machine. Requests of one pair arrive one by one at a steady rate.
"""

import sys
import tempfile
import time
from pathlib import Path

import psutil

from judgestream.contracts.topics import REQUESTS
from tests.integration.cluster import instant_triton, pairs, running


def main(rate: int = 300, seconds: float = 20.0) -> None:
    with tempfile.TemporaryDirectory() as folder:
        with (
            instant_triton(Path(folder) / "triton") as triton,
            running(Path(folder), triton) as cluster,
        ):
            worker = cluster.work("shadow")
            process = psutil.Process(worker.pid)
            producer = cluster.producer()
            requests = [
                (one.request_id.encode(), one.SerializeToString()) for one in pairs(1000, "idle")
            ]

            def send(count: int) -> float:
                """Send this many records. Returns the worker's CPU seconds meanwhile."""
                before, began = cpu(process), time.monotonic()
                for k in range(count):
                    time.sleep(max(0.0, began + k / rate - time.monotonic()))
                    key, value = requests[k % len(requests)]
                    producer.send(REQUESTS.name, value, key)
                return cpu(process) - before

            send(2 * rate)  # imports and connections
            used = send(int(rate * seconds))
            quiet = cpu(process)
            time.sleep(seconds / 2)
            quiet = cpu(process) - quiet
            producer.close()
    sys.stdout.write(
        f"{rate} requests/s: {100 * used / seconds:.1f} % of a core;"
        f" without requests: {200 * quiet / seconds:.1f} %\n"
    )


def cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


if __name__ == "__main__":
    main(*(int(one) for one in sys.argv[1:2]), *(float(one) for one in sys.argv[2:3]))
