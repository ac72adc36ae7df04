"""The decision before a load: whether a server has the memory for a release."""

from dataclasses import dataclass

GIB = 1024**3

RESERVE = 0.05
"""Share of a device's memory that stays free: for activations, caches and other programs."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FreeMemory:
    """Memory of one device of a server, in bytes.

    device   such as "GPU-1c0ffee0" or "main memory"
    """

    device: str
    free: int
    total: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Room:
    """Whether a release fits. `text` says why not, or warns where this is unknown; "" where it fits."""

    fits: bool
    text: str = ""


def room_for(need: int, devices: tuple[FreeMemory, ...], *, reserve: float = RESERVE) -> Room:
    """Whether a release that needs this many bytes fits on one of a server's devices.

    The device with the most room decides, since Triton's configuration chooses the device. Unknown memory
    allows the load, with a warning.

    Args:
        need: bytes; 0 if unknown.
        devices: () if the server's memory is unknown.
        reserve: share of the device's memory that must stay free.
    """
    if not devices:
        return Room(fits=True, text="its free memory is unknown, so this load was not checked")
    if need <= 0:
        return Room(
            fits=True, text="the need of the release is unknown, so this load was not checked"
        )
    best = max(devices, key=lambda one: one.free - reserve * one.total)
    left = best.free - reserve * best.total
    if need <= left:
        return Room(fits=True)
    return Room(
        fits=False,
        text=(
            f"{best.device} has {_gib(best.free)} free of {_gib(best.total)}, of which"
            f" {_gib(int(reserve * best.total))} stay in reserve, and the release needs {_gib(need)}: unload"
            " a release there, or use a server with more memory"
        ),
    )


def _gib(count: int) -> str:
    return f"{count / GIB:.1f} GiB"
