"""Where training stands, on disk: whole or not there at all.

A state is a folder per step: every process writes its share, then the manifest with the sums of all files
comes last, and the folder is renamed into place. A state whose files do not agree with its manifest is never
loaded; the one before it is. Nothing is unpickled: torch's loader reads tensors and plain values only.
"""

import hashlib
import json
import logging
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from judgestream.core.errors import ConfigurationError
from judgestream_trainer.training.distributed import World, local
from judgestream_trainer.training.objective import Trainee
from judgestream_trainer.training.optimisers import Rated

log = logging.getLogger(__name__)

MANIFEST = "manifest.json"


@dataclass(frozen=True, kw_only=True, slots=True)
class Training:
    """How far training is: steps done (the data's position follows), smoothed loss, tokens, sequences,
    seconds, and what was read and did not fit."""

    step: int = 0
    loss: float | None = None
    tokens: int = 0
    sequences: int = 0
    seconds: float = 0.0
    counts: Mapping[str, int] = field(default_factory=dict)

    def after(
        self,
        loss: float | None,
        *,
        tokens: int,
        sequences: int,
        seconds: float,
        counts: Mapping[str, int],
    ) -> "Training":
        """One step later. `loss` None: nothing in the step fitted, so it has none."""
        smoothed = self.loss
        if loss is not None:
            smoothed = loss if self.loss is None else 0.98 * self.loss + 0.02 * loss
        return replace(
            self,
            step=self.step + 1,
            loss=smoothed,
            tokens=self.tokens + tokens,
            sequences=self.sequences + sequences,
            seconds=seconds,
            counts=dict(counts),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class States:
    """The states of one training, in `folder`.

    identity    what must not change between a state and going on from it: recipe and data, by digest
    resume      whether to go on from the newest whole state
    """

    folder: Path
    identity: Mapping[str, str]
    batch: int
    save_every: int = 0
    keep: int = 2
    resume: bool = False

    def due(self, step: int) -> bool:
        return self.save_every > 0 and step % self.save_every == 0

    def save(
        self,
        trainee: Trainee,
        rated: Sequence[Rated],
        world: World,
        training: Training,
        per_epoch: int,
    ) -> Path:
        """Write the state of this step, then remove the oldest beyond `keep`."""
        target = self.folder / f"step-{training.step:08d}"
        draft = self.folder / f".{target.name}"
        if world.first:
            shutil.rmtree(draft, ignore_errors=True)
            draft.mkdir(parents=True)
        world.wait()
        torch.save(_tensors(trainee, rated, world), draft / _name(world.rank))
        world.wait()
        if world.first:
            consumed = training.step * self.batch
            manifest = {
                "training": asdict(training),
                "position": {
                    "epoch": consumed // per_epoch if per_epoch else 0,
                    "consumed": consumed,
                },
                "identity": dict(self.identity),
                "world": world.size,
                "sha256": {path.name: _sum(path) for path in sorted(draft.iterdir())},
            }
            _write(draft / MANIFEST, json.dumps(manifest, indent=2))
            shutil.rmtree(target, ignore_errors=True)
            os.replace(draft, target)
            for old in self._all()[: -self.keep]:
                shutil.rmtree(old)
        world.wait()
        return target

    def restore(self, trainee: Trainee, rated: Sequence[Rated], world: World) -> Training | None:
        """Load the newest whole state; None when there is none, or none is asked for.

        Raises:
            ConfigurationError: the state is of another recipe, other data or another number of
                processes; or states are there, and resuming is not asked for.
        """
        there = self._all()
        if there and not self.resume:
            raise ConfigurationError(
                f"{self.folder} holds a training already: go on with --resume, or remove the folder"
            )
        for folder in reversed(there):
            manifest = _whole(folder)
            if manifest is None:
                log.warning("state %s is not whole; the one before it is taken", folder)
                continue
            self._belongs(manifest, folder, world)
            saved = torch.load(
                folder / _name(world.rank), map_location=world.device, weights_only=True
            )
            _restore(saved, trainee, rated, world)
            return Training(**manifest["training"])
        return None

    def _belongs(self, manifest: Mapping[str, Any], folder: Path, world: World) -> None:
        for name, digest in self.identity.items():
            if manifest["identity"].get(name) != digest:
                raise ConfigurationError(
                    f"state {folder} is of another {name}: resume with the same one, or start"
                    " in another folder"
                )
        if manifest["world"] != world.size:
            raise ConfigurationError(
                f"state {folder} is of {manifest['world']} processes, not {world.size}: resume with as many"
            )

    def _all(self) -> list[Path]:
        return sorted(self.folder.glob("step-*"))


def digest_of(data: object) -> str:
    """Of plain data, by its JSON."""
    text = json.dumps(data, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _name(rank: int) -> str:
    return f"process-{rank}.pt"


def _sum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write(path: Path, text: str) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _whole(folder: Path) -> dict[str, Any] | None:
    """The manifest of a state whose files are all as it says."""
    try:
        manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        sums = {name: _sum(folder / name) for name in manifest["sha256"]}
        return manifest if sums == manifest["sha256"] else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _trained(trainee: Trainee) -> dict[str, Tensor]:
    """The weights that change: a frozen base is not saved again and again."""
    return {name: p for name, p in trainee.named_parameters() if p.requires_grad}


def _tensors(trainee: Trainee, rated: Sequence[Rated], world: World) -> dict[str, Any]:
    rng = {"cpu": torch.get_rng_state()}
    if world.device.type == "cuda":
        rng["cuda"] = torch.cuda.get_rng_state(world.device)
    return {
        "weights": {name: local(p.detach()) for name, p in _trained(trainee).items()},
        "optimizers": [
            {
                at: {name: _held(value) for name, value in entry.items()}
                for at, entry in optimizer.state_dict()["state"].items()
            }
            for optimizer, _ in rated
        ],
        "rng": rng,
    }


def _held(value: Any) -> Any:
    return local(value.detach()) if isinstance(value, Tensor) else value


@torch.no_grad()
def _restore(
    saved: Mapping[str, Any], trainee: Trainee, rated: Sequence[Rated], world: World
) -> None:
    for name, parameter in _trained(trainee).items():
        local(parameter.data).copy_(saved["weights"][name])
    for (optimizer, _), state in zip(rated, saved["optimizers"], strict=True):
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        for at, entry in state.items():
            optimizer.state[parameters[at]] = {
                name: _like(parameters[at], value) for name, value in entry.items()
            }
    torch.set_rng_state(saved["rng"]["cpu"].cpu())
    if "cuda" in saved["rng"]:
        torch.cuda.set_rng_state(saved["rng"]["cuda"].cpu(), world.device)


def _like(parameter: Tensor, value: Any) -> Any:
    """A saved optimizer value as the optimizer holds it: sharded where the parameter is."""
    sharded: Any = parameter
    if not hasattr(sharded, "to_local") or not isinstance(value, Tensor) or value.dim() == 0:
        return value
    return type(sharded).from_local(
        value,
        sharded.device_mesh,
        sharded.placements,
        run_check=False,
        shape=sharded.shape,
        stride=sharded.stride(),
    )
