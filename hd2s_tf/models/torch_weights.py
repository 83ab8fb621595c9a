"""Converts published PyTorch checkpoints into the Keras model, by name.

Every name in a checkpoint is either the value of one variable or knowingly ignored, and every variable gets a value;
what is left over on either side is an error that lists the names.
"""

import enum
import os
import re
import zipfile
from collections.abc import Iterator
from typing import NamedTuple

import keras
import numpy as np

from hd2s_tf.errors import BadInputError
from hd2s_tf.models import weight_files
from hd2s_tf.models.conspicuity import ConspicuityNetwork
from hd2s_tf.models.domain_adaptation import DomainClassifier
from hd2s_tf.models.hd2s import HD2S
from hd2s_tf.models.layers import ConvolutionUnit, InceptionBlock, SeparableConvolution
from hd2s_tf.models.normalization import DomainBatchNormalization
from hd2s_tf.models.s3d import S3D

# Our encoder layers, their place in the published HD2S and in the published S3D.
_ENCODER_NAMES = {
    "conv_1a": ("block1.0", "base.0"),
    "conv_2b": ("block2.0", "base.2"),
    "conv_2c": ("block2.1", "base.3"),
    "mixed_3b": ("block3.0", "base.5"),
    "mixed_3c": ("block3.1", "base.6"),
    "mixed_4b": ("block4.0", "base.8"),
    "mixed_4c": ("block4.1", "base.9"),
    "mixed_4d": ("block4.2", "base.10"),
    "mixed_4e": ("block4.3", "base.11"),
    "mixed_4f": ("block4.4", "base.12"),
    "mixed_5b": ("block5.0", "base.14"),
    "mixed_5c": ("block5.1", "base.15"),
}
_BRANCH_NAMES = {
    "branch0": "branch0.0",
    "reduction1": "branch1.0",
    "branch1": "branch1.1",
    "reduction2": "branch2.0",
    "branch2": "branch2.1",
    "branch3": "branch3.1",
}
_NORMALIZATION_NAMES = {
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}
_IGNORED = re.compile(r"num_batches_tracked$|^fc\.")


class _Layout(enum.Enum):
    """How the axes of a published value become a variable's."""

    # As in the checkpoint, but for axes of length one.
    AS_IS = "as is"
    # [out,in,...] to [...,in,out], of convolutions and dense layers.
    KERNEL = "kernel"
    # [channels,1,h,w] to [h,w,channels,1].
    DEPTHWISE = "depthwise"


class _Target(NamedTuple):
    """A variable, the domain whose row the value is (None: the value is the whole), the value's name and its layout."""

    variable: keras.Variable
    domain: int | None
    name: str
    layout: _Layout = _Layout.AS_IS

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the variable, or of the domain's row."""
        return tuple(self.variable.shape if self.domain is None else self.variable.shape[1:])

    def value(self, published: np.ndarray) -> np.ndarray:
        """The published value as Keras has it."""
        if self.layout is _Layout.KERNEL:
            return published.transpose(*range(2, published.ndim), 1, 0)
        if self.layout is _Layout.DEPTHWISE:
            return published.transpose(2, 3, 0, 1)
        same = [side for side in published.shape if side > 1] == [side for side in self.shape if side > 1]
        return published.reshape(self.shape) if same else published


def load_checkpoint(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """Reads a checkpoint, `.npz` with NumPy or anything else with torch, without the prefix `module.`.

    Raises:
      BadInputError: it cannot be read, or torch is needed and not installed.
    """
    path = os.fspath(path)
    if not os.path.isfile(path):  # noqa: PTH113
        raise BadInputError(f"{path}: no such checkpoint")
    values = _read_npz(path) if path.endswith(".npz") else _read_torch(path)
    return {name.removeprefix("module."): value for name, value in values.items()}


def _read_npz(path: str) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise BadInputError(f"{path}: not an .npz file that can be read: {error}") from error


def _read_torch(path: str) -> dict[str, np.ndarray]:
    try:
        import torch
    except ImportError as error:
        raise BadInputError(
            f"{path}: reading it needs the package torch (pip install torch), or save it as .npz"
        ) from error
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds of error for a damaged file
        raise BadInputError(f"{path}: not a PyTorch checkpoint of plain tensors: {error}") from error
    state = state.get("state_dict", state) if isinstance(state, dict) else {}
    if not state or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise BadInputError(f"{path}: not a PyTorch state dict")
    return {
        name: value.detach().float().numpy() if value.is_floating_point() else value.numpy()
        for name, value in state.items()
    }


def is_s3d(checkpoint: dict[str, np.ndarray]) -> bool:
    """Whether a checkpoint is the encoder alone, as published for Kinetics-400."""
    return any(name.startswith("base.") for name in checkpoint)


def convert(checkpoint_path: str | os.PathLike, preset: str, output: str | os.PathLike) -> int:
    """Converts a checkpoint file into a weight file; an S3D checkpoint becomes an encoder's.

    Returns:
      The number of variables that were set.

    Raises:
      BadInputError: as `load_checkpoint` and `assign`, an unknown preset, or an output name that is no weight file's.
    """
    checkpoint = load_checkpoint(checkpoint_path)
    model = HD2S.from_preset(preset, weights=None)
    assign(model, checkpoint)
    if is_s3d(checkpoint):
        weight_files.save_encoder(model, output)
        return len(model.encoder.variables)
    weight_files.save(model, output)
    return len(model.variables)


def assign(model: HD2S, checkpoint: dict[str, np.ndarray]) -> None:
    """Gives a model's variables the values of a checkpoint; an S3D checkpoint sets the encoder's only.

    Args:
      model: its variables created; without folding.
      checkpoint: from `load_checkpoint`.

    Raises:
      BadInputError: names without a variable, variables without a name, other shapes or values that are not finite.
    """
    if is_s3d(checkpoint):
        owner, targets = model.encoder, list(_encoder(model.encoder, 1, ""))
    else:
        owner, targets = model, list(_model(model))
    _check(owner, targets, checkpoint)
    for target in targets:
        value = target.value(checkpoint[target.name])
        if target.domain is not None:
            rows = target.variable.numpy()
            rows[target.domain] = value
            value = rows
        target.variable.assign(value)


def _check(owner: keras.layers.Layer, targets: list[_Target], checkpoint: dict[str, np.ndarray]) -> None:
    wanted = {target.name for target in targets}
    problems = {
        "has no value for": sorted(wanted - set(checkpoint)),
        "has values that this model does not know": sorted(
            name for name in set(checkpoint) - wanted if not _IGNORED.search(name)
        ),
        "has values of another shape": [
            f"{target.name} {checkpoint[target.name].shape}"
            for target in targets
            if target.name in checkpoint and not _fits(target, checkpoint[target.name])
        ],
        "has values that are not finite": sorted(
            name for name in wanted & set(checkpoint) if not np.isfinite(checkpoint[name]).all()
        ),
        "leaves variables unset": sorted(
            {variable.path for variable in owner.variables if "seed_generator" not in variable.path}
            - {target.variable.path for target in targets}
        ),
    }
    messages = [
        f"{what} ({len(names)}): {', '.join(names[:20])}{' ...' if len(names) > 20 else ''}"
        for what, names in problems.items()
        if names
    ]
    if messages:
        raise BadInputError("the checkpoint " + "; it ".join(messages))


def _fits(target: _Target, published: np.ndarray) -> bool:
    try:
        return target.value(published).shape == target.shape
    except ValueError:
        return False


def _model(model: HD2S) -> Iterator[_Target]:
    yield from _encoder(model.encoder, 0, "featureExtractor.")
    for index, level in enumerate(model.levels):
        # The published names count endpoints, 2 to 5.
        number = level + 1
        units = model.temporal_reductions[index].units
        for step, unit in enumerate(units, 1):
            suffix = f"_{step}" if len(units) > 1 else ""
            yield from _unit(unit, f"conv_t{number}{suffix}.conv", f"conv_t{number}{suffix}.bn", model.domains)
        yield from _conspicuity(model.conspicuity_networks[index], number, model.domains)
        if model.classifiers:
            yield from _classifier(model.classifiers[index], number)
        if model.priors:
            for domain, name in enumerate(model.domains):
                yield _Target(model.priors[index].gaussians, domain, f"gaussians{number}__{name.lower()}")
    yield from _fusion(model)
    if model.smoothing is not None:
        for domain, name in enumerate(model.domains):
            yield _Target(model.smoothing.sigma, domain, f"GL__{name.lower()}.sigma")


def _fusion(model: HD2S) -> Iterator[_Target]:
    if model.fusion is None:
        return
    if "fusion" in model.own_modules:
        for domain, name in enumerate(model.domains):
            yield _Target(model.fusion.kernel, domain, f"last_block__{name.lower()}.0.weight")
            yield _Target(model.fusion.bias, domain, f"last_block__{name.lower()}.0.bias")
    else:
        yield _Target(model.fusion.kernel, 0, "last_conv.weight")
        yield _Target(model.fusion.bias, None, "last_conv.bias")


def _encoder(encoder: S3D, which: int, prefix: str) -> Iterator[_Target]:
    for name, block in encoder.blocks.items():
        yield from _block(block, prefix + _ENCODER_NAMES[name][which])


def _block(block: keras.layers.Layer, prefix: str) -> Iterator[_Target]:
    if isinstance(block, InceptionBlock):
        for attribute, name in _BRANCH_NAMES.items():
            yield from _block(getattr(block, attribute), f"{prefix}.{name}")
    elif isinstance(block, SeparableConvolution):
        yield from _unit(block.spatial, f"{prefix}.conv_s", f"{prefix}.bn_s")
        yield from _unit(block.temporal, f"{prefix}.conv_t", f"{prefix}.bn_t")
    else:
        yield from _unit(block, f"{prefix}.conv", f"{prefix}.bn")


def _unit(unit: ConvolutionUnit, convolution: str, normalization: str, domains: tuple = ()) -> Iterator[_Target]:
    layout = _Layout.DEPTHWISE if unit.depthwise else _Layout.KERNEL
    yield _Target(unit.convolution.kernel, None, f"{convolution}.weight", layout)
    yield from _normalization(unit.normalization, normalization, domains)


def _normalization(layer: keras.layers.Layer, prefix: str, domains: tuple = ()) -> Iterator[_Target]:
    specific = isinstance(layer, DomainBatchNormalization)
    for attribute, name in _NORMALIZATION_NAMES.items():
        variable = getattr(layer, attribute)
        if specific:
            for domain, domain_name in enumerate(domains):
                yield _Target(variable, domain, f"{prefix}.bn_{domain_name}.{name}")
        else:
            yield _Target(variable, None, f"{prefix}.{name}")


def _conspicuity(network: ConspicuityNetwork, number: int, domains: tuple) -> Iterator[_Target]:
    stages = list(network.stages())
    for stage, units in enumerate(stages):
        for position, unit in enumerate(units):
            # The published stages count down to 1.
            prefix = f"decoder{number}.deconvlayer{number}_{len(stages) - stage}.{position}"
            if isinstance(unit, ConvolutionUnit):
                yield from _unit(unit, f"{prefix}.conv", f"{prefix}.bn", domains)
            else:
                yield from _unit(unit.depthwise, f"{prefix}.conv_s", f"{prefix}.bn_s", domains)
                yield from _unit(unit.pointwise, f"{prefix}.conv_t", f"{prefix}.bn_t", domains)
    yield from _layer(network.to_map, f"decoder{number}.last_conv{number}")


def _classifier(classifier: DomainClassifier, number: int) -> Iterator[_Target]:
    reductions = zip(classifier.convolutions, classifier.convolution_normalizations, strict=True)
    position = 0
    for layer, normalization in reductions:
        yield from _layer(layer, f"featureReduction{number}.feature_reduction.{position}")
        yield from _normalization(normalization, f"featureReduction{number}.feature_reduction.{position + 1}")
        position += 3  # convolution, normalisation, ReLU
    prefix, position = f"domainClassifier{number}.domainClassifier", 0
    for index, (layer, normalization) in enumerate(
        zip(classifier.denses, classifier.dense_normalizations, strict=True)
    ):
        yield from _layer(layer, f"{prefix}.{position}")
        yield from _normalization(normalization, f"{prefix}.{position + 1}")
        position += 4 if index else 3  # dense, normalisation, ReLU and, after the first, dropout
    yield from _layer(classifier.to_domains, f"{prefix}.{position}")


def _layer(layer: keras.layers.Layer, prefix: str) -> Iterator[_Target]:
    yield _Target(layer.kernel, None, f"{prefix}.weight", _Layout.KERNEL)
    yield _Target(layer.bias, None, f"{prefix}.bias")
