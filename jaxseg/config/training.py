"""Options of the training and of the loss."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from jaxseg.config.export import Export
from jaxseg.config.limits import INSIDE, PATH, RATE, above, at_least, between
from jaxseg.config.option import NOTHING, option, section
from jaxseg.errors import ConfigError

# Options of the training that act with one choice of another option only.
ONLY_WITH: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("betas", "optimizer", ("adamw", "muon", "adam")),
    ("momentum", "optimizer", ("sgd",)),
    ("nesterov", "optimizer", ("sgd",)),
    ("plateau_factor", "schedule", ("plateau",)),
    ("plateau_patience", "schedule", ("plateau",)),
    ("final_lr", "schedule", ("cosine", "plateau")),
    ("warmup", "schedule", ("cosine", "constant", "plateau")),
    ("decay_part", "schedule", ("cosine",)),
)


@section
class Train:
    """The training run: optimiser, learning rate, and how long."""

    epochs: int = option(100, at_least(1))
    """Epochs, each with a validation at its end."""
    steps: int = option(0, at_least(0))
    """Steps per epoch; 0 = as many as cover the training images, at least 25."""
    passes: int = option(1, at_least(1))
    """How often the steps of an epoch cover the training images, where steps is 0."""
    batch: int = option(8, at_least(1))
    """Patches per step, over all devices."""
    optimizer: Literal["adamw", "muon", "adam", "sgd"] = option("adamw")
    """adamw: Adam with decoupled weight decay; muon: the same for biases and norms, while steps of
    kernels are orthogonal matrices, which learn more per step; adam, sgd: the decay is part of the
    gradient."""
    betas: tuple[float, float] = option((0.9, 0.999), RATE)
    """Decay of the averages of the gradient and of its square, of adamw, muon and adam."""
    momentum: float = option(0.9, RATE)
    """Share of the last step that the next one keeps, of sgd."""
    nesterov: bool = option(True)
    """Look ahead along the momentum, of sgd."""
    lr: float = option(1e-3, above(0))
    """Largest learning rate."""
    weight_decay: float = option(1e-4, at_least(0))
    """Weight decay, of kernels only."""
    schedule: Literal["cosine", "constant", "plateau", "one_cycle"] = option("cosine")
    """How the learning rate goes on after the warm-up: cosine falls to final_lr; constant; plateau
    falls by plateau_factor whenever validation gets no better; one_cycle rises over three tenths of
    the run and falls to almost nothing, without another warm-up."""
    warmup: int = option(2, at_least(0))
    """Epochs of linear warm-up."""
    final_lr: float = option(0.01, between(0, 1))
    """Learning rate at the end, as a fraction of lr; of plateau the least one."""
    decay_part: float = option(0.0, between(0, 1))
    """Last part of the run in which the cosine falls, the rate being constant between the warm-up
    and then; 0 = all of the run after the warm-up."""
    plateau_factor: float = option(0.5, INSIDE)
    """Factor of the learning rate where validation gets no better."""
    plateau_patience: int = option(10, at_least(1))
    """Epochs without a better validation loss after which that happens."""
    accumulation: int = option(1, at_least(1))
    """Parts of a batch whose gradients are added up before a step, in the memory of one part."""
    clip: float = option(1.0, at_least(0))
    """Largest global norm of the gradient; 0 = no clipping."""
    patience: int = option(0, at_least(0))
    """Stop after this many epochs without a better validation loss; 0 = never."""
    minutes: float = option(0.0, at_least(0))
    """Shorten the run, decay included, so that it ends after about this many minutes; 0 = no limit.
    """
    ema: float = option(0.0, RATE)
    """Decay of the exponential moving average of the weights that is validated and kept; 0 = off.
    """
    precision: Literal["float32", "bfloat16"] = option("float32")
    """Element type of the network's arithmetic; parameters stay float32."""
    remat: bool = option(False)
    """Compute inner results of the network again in the backward pass instead of keeping them: the
    same numbers; meant for GPUs, on a CPU it saved no memory."""
    val_patches: int = option(0, at_least(0))
    """Validation patches; 0 = as many as cover the validation images once."""
    save_every: int = option(1, at_least(1))
    """Epochs between two checkpoints of the full state."""
    start_from: str = option("", PATH, read_by=NOTHING)
    """Folder checkpoints/<name>_<run> of a trained run whose weights the network begins with, as
    far as names and sizes agree; empty = random weights."""
    freeze: tuple[str, ...] = option(())
    """Parts of the network that keep the weights they begin with, as patterns of names such as
    "enc0_*"; batch normalisation in them keeps its statistics, too. On the command line and in YAML
    files biapy:REGEX stands for the parameters that BiaPy would find by this expression."""
    chart_every: int = option(10, at_least(1), read_by=NOTHING)
    """Epochs after which charts are drawn anew, and at the end."""
    predictions_every: int = option(0, at_least(0), read_by=NOTHING)
    """Epochs after which the network is shown on some patches of the validation images, in the
    folder train_pred_samples, and at the end; 0 = never."""
    predictions: int = option(1, at_least(1), read_by=NOTHING)
    """How many patches are shown."""
    tensorboard: bool = option(False, read_by=NOTHING)
    """Write the record for TensorBoard, too, whenever charts are drawn; needs the package
    tensorboardX."""
    export: Export = option(Export(), read_by=NOTHING)
    """A file for other software, written when the training has ended."""
    extend: bool = option(False, read_by=NOTHING)
    """Let a training go on that was begun with fewer epochs; from then on the learning rate
    follows the longer plan, and the record says so."""

    def problems(self, where: str) -> Iterator[ConfigError]:
        """Options that act with one choice of another only, and a batch that has no equal parts."""
        usual = type(self)()
        for field, choice, values in ONLY_WITH:
            found = getattr(self, field)
            if found != getattr(usual, field) and getattr(self, choice) not in values:
                yield ConfigError(
                    f"this option has no effect unless {where}.{choice} is {' or '.join(values)}",
                    where=f"{where}.{field}",
                    found=found,
                )
        if self.steps and self.passes > 1:
            yield ConfigError(
                "the number of steps is given",
                where=f"{where}.passes",
                found=self.passes,
                fix=f"leave out {where}.passes or {where}.steps",
            )
        if self.batch % max(self.accumulation, 1):
            yield ConfigError(
                "the batch does not divide into equal parts",
                where=f"{where}.batch",
                found=self.batch,
                expected=f"a multiple of {where}.accumulation ({self.accumulation})",
            )


@section
class Loss:
    """How much a voxel counts in the loss, in all channels; channels have options beside."""

    border_weight: float = option(0.0, at_least(0))
    """How much more the background between two objects counts, at most (Ronneberger et al. 2015,
    who take 10); 0 = no more than elsewhere."""
    border_sigma: float = option(5.0, above(0))
    """How near the two objects must be, in the finest voxels."""
    balance: bool = option(False)
    """In binary channels, weight the rarer class up to 19 times as much, patch by patch, so that
    both classes count the same."""
