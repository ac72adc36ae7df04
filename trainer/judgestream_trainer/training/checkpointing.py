"""Resumable checkpoints, written atomically.

A training checkpoint is one folder per saved step. Every process writes its shard, the manifest with all
checksums is written last, and the folder is renamed into place. A checkpoint whose files do not match its
manifest is skipped; the previous one is loaded. Nothing is unpickled: torch reads tensors and plain values
only.
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
from judgestream_trainer.files import file_sha256
from judgestream_trainer.training.distributed import World, local
from judgestream_trainer.training.objective import Trainable
from judgestream_trainer.training.optimisers import Rated

log = logging.getLogger(__name__)

MANIFEST = "manifest.json"


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingProgress:
    """Finished steps (which give the position in the data), smoothed loss, tokens, sequences, seconds, and
    the counts of sequences that were read and that did not fit."""

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
    ) -> "TrainingProgress":
        """The progress one step later. `loss` None: no sequence of the step fitted."""
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
class Checkpointer:
    """The checkpoints of one training, in `folder`.

    identity    digests of recipe and data, which must be the same when training resumes
    batch       sequences per step
    save_every  steps between two checkpoints; 0: only at the end and when stopped
    keep        how many checkpoints to keep
    resume      continue from the newest complete checkpoint
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
        training_model: Trainable,
        rated: Sequence[Rated],
        world: World,
        progress: TrainingProgress,
        per_epoch: int,
    ) -> Path:
        """Write the checkpoint of this step, then remove the oldest beyond `keep`."""
        target = self.folder / f"step-{progress.step:08d}"
        draft = self.folder / f".{target.name}"
        if world.first:
            shutil.rmtree(draft, ignore_errors=True)
            draft.mkdir(parents=True)
        world.wait()
        torch.save(_tensors(training_model, rated, world), draft / _name(world.rank))
        world.wait()
        if world.first:
            consumed = progress.step * self.batch
            manifest = {
                "training": asdict(progress),
                "position": {
                    "epoch": consumed // per_epoch if per_epoch else 0,
                    "consumed": consumed,
                },
                "identity": dict(self.identity),
                "world": world.size,
                "sha256": {path.name: file_sha256(path) for path in sorted(draft.iterdir())},
            }
            _write(draft / MANIFEST, json.dumps(manifest, indent=2))
            shutil.rmtree(target, ignore_errors=True)
            os.replace(draft, target)
            for old in self._all()[: -self.keep]:
                shutil.rmtree(old)
        world.wait()
        return target

    def restore(
        self, training_model: Trainable, rated: Sequence[Rated], world: World
    ) -> TrainingProgress | None:
        """Load the newest complete checkpoint; None when there is none.

        Raises:
            ConfigurationError: the checkpoint has a different recipe, data set or number of processes; or
                there are checkpoints and `resume` is not set.
        """
        folders = self._all()
        if folders and not self.resume:
            raise ConfigurationError(
                f"{self.folder} already holds training checkpoints: add --resume, or remove the folder"
            )
        for folder in reversed(folders):
            manifest = _complete(folder)
            if manifest is None:
                log.warning("checkpoint %s is incomplete: trying the previous one", folder)
                continue
            self._check_identity(manifest, folder, world)
            saved = torch.load(
                folder / _name(world.rank), map_location=world.device, weights_only=True
            )
            _restore(saved, training_model, rated, world)
            return TrainingProgress(**manifest["training"])
        return None

    def _check_identity(self, manifest: Mapping[str, Any], folder: Path, world: World) -> None:
        for name, digest in self.identity.items():
            if manifest["identity"].get(name) != digest:
                raise ConfigurationError(
                    f"checkpoint {folder} was made with a different {name}: resume with the same {name}, or"
                    " start in another folder"
                )
        if manifest["world"] != world.size:
            raise ConfigurationError(
                f"checkpoint {folder} was made by {manifest['world']} processes, not {world.size}:"
                f" resume with {manifest['world']}"
            )

    def _all(self) -> list[Path]:
        return sorted(self.folder.glob("step-*"))


def digest_of(data: object) -> str:
    """SHA-256 of plain data, by its JSON."""
    text = json.dumps(data, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _name(rank: int) -> str:
    return f"process-{rank}.pt"


def _write(path: Path, text: str) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _complete(folder: Path) -> dict[str, Any] | None:
    """The manifest of a checkpoint whose files all match it; None otherwise."""
    try:
        manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        sums = {name: file_sha256(folder / name) for name in manifest["sha256"]}
        return manifest if sums == manifest["sha256"] else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _trained(training_model: Trainable) -> dict[str, Tensor]:
    """The trainable weights: a frozen base is not saved with every checkpoint."""
    return {name: p for name, p in training_model.named_parameters() if p.requires_grad}


def _tensors(training_model: Trainable, rated: Sequence[Rated], world: World) -> dict[str, Any]:
    rng = {"cpu": torch.get_rng_state()}
    if world.device.type == "cuda":
        rng["cuda"] = torch.cuda.get_rng_state(world.device)
    return {
        "weights": {name: local(p.detach()) for name, p in _trained(training_model).items()},
        "optimizers": [
            {
                index: {name: _held(value) for name, value in entry.items()}
                for index, entry in optimizer.state_dict()["state"].items()
            }
            for optimizer, _ in rated
        ],
        "rng": rng,
    }


def _held(value: Any) -> Any:
    return local(value.detach()) if isinstance(value, Tensor) else value


@torch.no_grad()
def _restore(
    saved: Mapping[str, Any], training_model: Trainable, rated: Sequence[Rated], world: World
) -> None:
    for name, parameter in _trained(training_model).items():
        local(parameter.data).copy_(saved["weights"][name])
    for (optimizer, _), state in zip(rated, saved["optimizers"], strict=True):
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        for index, entry in state.items():
            optimizer.state[parameters[index]] = {
                name: _like(parameters[index], value) for name, value in entry.items()
            }
    torch.set_rng_state(saved["rng"]["cpu"].cpu())
    if "cuda" in saved["rng"]:
        torch.cuda.set_rng_state(saved["rng"]["cuda"].cpu(), world.device)


def _like(parameter: Tensor, value: Any) -> Any:
    """A saved optimizer value, sharded where the parameter is."""
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
