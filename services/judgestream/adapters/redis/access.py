"""The Redis user of each service, with the least rights: one row per service.

A script runs with its caller's rights, so the commands inside scripts are listed, too.
"""

from dataclasses import dataclass

CONNECTION = ("ping", "select", "info", "multi", "discard")
"""Commands of every client. `info`, `multi` and `discard` serve the check at the start of a service."""

BOARD = ("eval", "get", "set", "del", "sadd", "srem", "smembers", "hkeys")
BOARD_KEYS = ("workers", "workers:*", "skip:*")
SPENDING = ("evalsha", "script|load", "time", "hget", "hset", "hincrby", "hmget")
COUNTING = (
    *("evalsha", "script|load", "time", "hget", "hset", "hdel", "hlen", "hexists", "hgetall"),
    *("hincrby", "pexpire"),
)
REBUILDING = ("incr", "getset", "scan", "unlink")
RELOADS = ("exec", "zadd", "zrangebyscore", "zremrangebyscore", "expire")
OPERATING = ("hsetnx", "hdel", "hmget", "time", "sadd", "expire")
"""Of `status`, `triton drain` and `dlq skip`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Access:
    """What one service needs.

    keys       patterns of the keys that it reads and writes, below the prefix
    reads      patterns of further keys that it reads only
    commands   besides those of every client
    """

    service: str
    keys: tuple[str, ...]
    reads: tuple[str, ...] = ()
    commands: tuple[str, ...]

    def user(self, prefix: str) -> str:
        return f"{prefix}-{self.service}"

    def rules(self, prefix: str) -> str:
        """The user's rules for ACL SETUSER or an ACL file, without its password."""
        words = [f"~{prefix}:{pattern}" for pattern in self.keys]
        words += [f"%R~{prefix}:{pattern}" for pattern in self.reads]
        words += ["resetchannels", "-@all"]
        words += [f"+{command}" for command in sorted({*CONNECTION, *self.commands})]
        return " ".join(words)


ACCESS: tuple[Access, ...] = (
    Access(
        service="judging",
        keys=(*BOARD_KEYS, "spending:*", "*:assigned:*"),
        reads=("triton:draining", "bias:doubted:*"),
        commands=(*BOARD, *SPENDING, "exists"),
    ),
    Access(
        service="shadow",
        keys=(*BOARD_KEYS, "spending:*", "shadow:*"),
        reads=("triton:draining",),
        commands=(*BOARD, *SPENDING),
    ),
    Access(
        service="bias",
        keys=(*BOARD_KEYS, "bias:*"),
        commands=(*BOARD, *COUNTING, *REBUILDING),
    ),
    Access(
        service="rollout",
        keys=(*BOARD_KEYS, "rollout:*", "triton:draining"),
        reads=("spending:*",),
        commands=(*BOARD, *RELOADS, *OPERATING),
    ),
    Access(
        service="operator",
        keys=("*",),
        commands=(*BOARD, *SPENDING, *COUNTING, *REBUILDING, *RELOADS, *OPERATING, "exists"),
    ),
)
"""`operator`: for the commands of a person, such as `status`, `doctor`, `dlq skip` and `bias rebuild`."""

SERVICES = {row.service: row for row in ACCESS}

EXAMPLES: dict[str, tuple[str, ...]] = {
    "ping": (),
    "select": ("0",),
    "info": (),
    "multi": (),
    "discard": (),
    "eval": ("return 1", "0"),
    "evalsha": ("0" * 40, "0"),
    "script|load": ("return 1",),
    "exec": (),
    "time": (),
    "scan": ("0",),
    "get": ("{key}",),
    "set": ("{key}", "x"),
    "getset": ("{key}", "x"),
    "incr": ("{key}",),
    "del": ("{key}",),
    "unlink": ("{key}",),
    "exists": ("{key}",),
    "expire": ("{key}", "1"),
    "pexpire": ("{key}", "1"),
    "sadd": ("{key}", "x"),
    "srem": ("{key}", "x"),
    "smembers": ("{key}",),
    "hkeys": ("{key}",),
    "hget": ("{key}", "x"),
    "hmget": ("{key}", "x"),
    "hset": ("{key}", "x", "1"),
    "hsetnx": ("{key}", "x", "1"),
    "hdel": ("{key}", "x"),
    "hlen": ("{key}",),
    "hexists": ("{key}", "x"),
    "hgetall": ("{key}",),
    "hincrby": ("{key}", "x", "1"),
    "zadd": ("{key}", "1", "x"),
    "zrangebyscore": ("{key}", "0", "1"),
    "zremrangebyscore": ("{key}", "0", "1"),
}
"""Arguments with which each command is tried. None is executed: see `trial`."""

UNTRIED = ("multi", "discard", "exec")
"""They make or end a transaction."""


def trial(row: Access, prefix: str) -> list[tuple[str, tuple[str, ...]]]:
    """What to queue in a transaction that is discarded, to learn whether a user has these rights.

    Each entry is the right, as a person reads it, and the words of a command.
    """

    def key(pattern: str) -> str:
        return f"{prefix}:{pattern.replace('*', 'x')}"

    tried: list[tuple[str, tuple[str, ...]]] = []
    for command in sorted({*CONNECTION, *row.commands} - set(UNTRIED)):
        words = tuple(word.replace("{key}", key(row.keys[0])) for word in EXAMPLES[command])
        tried.append((f"+{command}", (*command.upper().split("|"), *words)))
    tried += [(f"~{prefix}:{one}", ("SET", key(one), "x")) for one in row.keys]
    tried += [(f"%R~{prefix}:{one}", ("GET", key(one))) for one in row.reads]
    return tried
