"""Errors of servers on this machine. Each message names the thing and how to fix it.

JudgestreamError
├── ConfigurationError
│   ├── PortTaken            another program listens on a server's port
│   ├── FolderInUse          another stack uses this data folder
│   ├── DataUnusable         the data folder cannot be used, or belongs to something else
│   ├── ServerMissing        a package that brings a server, or a part of it, is not installed
│   └── DownloadFailed       the Kafka jars could not be downloaded, or differ from the pinned ones
└── LocalServerError
    ├── ServerDied           the process ended by itself
    ├── ServerNotReady       the process runs but does not answer in time
    └── ServerUnreachable    an external server does not answer
"""

from typing import ClassVar

from judgestream.core.errors import ConfigurationError, JudgestreamError


class PortTaken(ConfigurationError):
    code: ClassVar[str] = "port_taken"


class FolderInUse(ConfigurationError):
    code: ClassVar[str] = "folder_in_use"


class DataUnusable(ConfigurationError):
    code: ClassVar[str] = "data_unusable"


class ServerMissing(ConfigurationError):
    code: ClassVar[str] = "server_missing"


class DownloadFailed(ConfigurationError):
    code: ClassVar[str] = "download_failed"


class LocalServerError(JudgestreamError):
    code: ClassVar[str] = "local_server"


class ServerDied(LocalServerError):
    code: ClassVar[str] = "server_died"


class ServerNotReady(LocalServerError):
    code: ClassVar[str] = "server_not_ready"


class ServerUnreachable(LocalServerError):
    code: ClassVar[str] = "server_unreachable"
