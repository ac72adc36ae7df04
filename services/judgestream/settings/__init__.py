"""All settings, typed and read once. Environment over file over running local stack over default.

A setting's variable is `JUDGESTREAM_` + group + `__` + name: `JUDGESTREAM_KAFKA__BOOTSTRAP`. A YAML file
with the same groups is named by `JUDGESTREAM_CONFIG`. A secret can be the content of a file, which
`JUDGESTREAM_REDIS__PASSWORD_FILE` names. An unknown name in either is an error. Servers that are
not named are those of the stack that runs in `local.data`.
"""

from judgestream.settings.group import Group
from judgestream.settings.grpc import Grpc
from judgestream.settings.kafka import Kafka
from judgestream.settings.loading import CONFIG, PREFIX, Settings, load, names
from judgestream.settings.local import Local
from judgestream.settings.origins import Origin, origins, secret_file
from judgestream.settings.servers import Images, Redis, Triton
from judgestream.settings.telemetry import Telemetry
from judgestream.settings.workers import Bias, Consumer, Judging, Rollout, Shadow, Worker

__all__ = [
    "CONFIG",
    "PREFIX",
    "Bias",
    "Consumer",
    "Group",
    "Grpc",
    "Images",
    "Judging",
    "Kafka",
    "Local",
    "Origin",
    "Redis",
    "Rollout",
    "Settings",
    "Shadow",
    "Telemetry",
    "Triton",
    "Worker",
    "load",
    "names",
    "origins",
    "secret_file",
]
