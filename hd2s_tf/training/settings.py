"""The settings of a training run, with the paper's values; a configuration states where it differs.

`check` holds every rule of one configuration, so that a run that cannot work ends before it begins.
"""

import dataclasses
import inspect

import ml_collections
from ml_collections.config_dict import placeholder

from hd2s_tf import files
from hd2s_tf.data import clips
from hd2s_tf.data.augmentation import Augmentation
from hd2s_tf.errors import BadInputError
from hd2s_tf.models.hd2s import HD2S
from hd2s_tf.models.presets import FRAME_SIZE, PRESETS
from hd2s_tf.models.s3d import SIZE_DIVISOR
from hd2s_tf.training import losses

# In place of a file's name: the run stops unless one is given. (ml_collections' required placeholder cannot be locked.)
REQUIRED = "required"
PRECISIONS = ("float32", "mixed_bfloat16")
CONSTANT, COSINE = SCHEDULES = ("constant", "cosine")
# Validation's values by which the best weights can be chosen, and whether the higher one is better.
HIGHER_IS_BETTER = {"kl_divergence": False, "nss": True, "cc": True}
# A model with folded normalisation cannot be trained, and the seed is the run's.
_DEFAULTS = {
    name: parameter.default
    for name, parameter in inspect.signature(HD2S.__init__).parameters.items()
    if parameter.default is not inspect.Parameter.empty and name not in ("folded", "seed")
}
_TYPES = {name: float if value is None else type(value) for name, value in _DEFAULTS.items()}


def paper() -> ml_collections.ConfigDict:
    """The paper's supervised recipe (section 4.2) without data; every setting a run has."""
    config = ml_collections.ConfigDict()
    config.seed = 0
    # The value of validation, one of `HIGHER_IS_BETTER`, by which the best weights are chosen.
    config.selected_by = "kl_divergence"

    config.model = ml_collections.ConfigDict()
    config.model.preset = "hd2s"
    # Arguments of `HD2S` in place of the preset's; None leaves the preset's value.
    config.model.overrides = _placeholders()

    config.run = ml_collections.ConfigDict()
    config.run.precision = "float32"
    # Whether XLA compiles loss and gradient: for a single GPU; on processors it is slower.
    config.run.jit_compile = False
    # Whether operations have to give the same bits in every run. Two runs on a processor do so anyway; a GPU sums
    # gradients in any order unless it is asked not to, and refuses operations that it cannot order.
    config.run.deterministic = False

    config.data = ml_collections.ConfigDict()
    # Prepared folders as "folder:split". Batches come from one after the other; one may be named several times.
    config.data.train = ()
    # The domain of each training folder, a name of the model's domains; empty without domains.
    config.data.train_domains = ()
    # Unlabelled target folders of adaptation.
    config.data.target = ()
    config.data.validation = ()
    config.data.validation_domains = ()
    # "videos": every video of a folder is equally likely, and every window in it; "windows": every window is.
    config.data.sampling = clips.VIDEOS
    config.data.batch_size = 8
    # (height, width) of clips and maps, multiples of 32. Prediction is at 128x192, so smaller ones are for trying.
    config.data.frame_size = FRAME_SIZE
    config.data.augmentation = ml_collections.ConfigDict(dataclasses.asdict(Augmentation()))

    config.loss = ml_collections.ConfigDict()
    config.loss.multi_level = True
    config.loss.domain_weight = 1.0
    # Weights of further terms beside the divergence, see `hd2s_tf.training.losses.TERMS`.
    config.loss.terms = ml_collections.ConfigDict(dict.fromkeys(losses.TERMS, 0.0))

    config.optimizer = ml_collections.ConfigDict()
    config.optimizer.learning_rate = 1e-3
    # Added to the root of the corrected second moment, see `hd2s_tf.training.optimizers.Adam`.
    config.optimizer.epsilon = 1e-8
    config.optimizer.schedule = CONSTANT
    config.optimizer.warmup = 0
    config.optimizer.weight_decay = 2e-7
    # Largest norm of the whole gradient; 0 for no limit.
    config.optimizer.gradient_clip = 0.0
    # Batches whose gradients are averaged for one update: 25 of 8 clips act as one batch of 200.
    config.optimizer.accumulation = 25
    config.optimizer.updates = 2500
    # Share that the running average of the weights keeps at an update; 0 for none.
    config.optimizer.average_momentum = 0.0

    config.init = ml_collections.ConfigDict()
    # Weights of a whole model to start from (fine-tuning), or of an S3D encoder; "" for neither.
    config.init.weights = ""
    config.init.encoder = ""

    config.every = ml_collections.ConfigDict()
    config.every.log = 10
    config.every.checkpoint = 50
    config.every.evaluation = 250
    # Of a validation video every n-th frame is scored.
    config.every.validation_frame = 25
    return config


def _placeholders() -> ml_collections.ConfigDict:
    return ml_collections.ConfigDict({name: placeholder(kind) for name, kind in _TYPES.items()})


def overrides(config: ml_collections.ConfigDict) -> dict[str, object]:
    """The arguments of `HD2S` that a configuration gives in place of its preset's."""
    return {name: value for name, value in config.model.overrides.items() if value is not None}


def model_arguments(config: ml_collections.ConfigDict) -> dict[str, object]:
    """Every argument of the model that a configuration trains: its own, else the preset's, else the constructor's."""
    return {**_DEFAULTS, **PRESETS[config.model.preset], **overrides(config)}


def check(config: ml_collections.ConfigDict, replicas: int = 1) -> None:
    """Checks what can be checked without reading data or weights.

    Args:
      config: see `paper`.
      replicas: devices that share a batch.

    Raises:
      BadInputError: a setting that cannot be used, or settings that do not fit together.
    """
    if config.model.preset not in PRESETS:
        raise BadInputError(f"model.preset is {config.model.preset!r}: the presets are {', '.join(PRESETS)}")
    counts = {
        "data.batch_size": config.data.batch_size,
        "optimizer.accumulation": config.optimizer.accumulation,
        "optimizer.updates": config.optimizer.updates,
        **{f"every.{name}": value for name, value in config.every.items()},
    }
    for name, value in counts.items():
        if value < 1:
            raise BadInputError(f"{name} is {value}: it must be at least 1")
    choices = {
        "selected_by": (config.selected_by, HIGHER_IS_BETTER),
        "run.precision": (config.run.precision, PRECISIONS),
        "data.sampling": (config.data.sampling, clips.UNITS),
        "optimizer.schedule": (config.optimizer.schedule, SCHEDULES),
    }
    for name, (value, allowed) in choices.items():
        if value not in allowed:
            raise BadInputError(f"{name} is {value!r}: it is one of {', '.join(allowed)}")
    if config.run.jit_compile and replicas > 1:
        raise BadInputError("run.jit_compile is for a single device: not with several replicas")
    if config.data.batch_size % replicas:
        raise BadInputError(f"data.batch_size is {config.data.batch_size}: {replicas} replicas must share it evenly")
    _check_data(config)
    _check_initial_weights(config)


def check_record(path: str, record: dict) -> None:
    """Checks that the run whose record lies in a work directory can be resumed.

    Raises:
      BadInputError: an older version wrote it, whose settings had other names.
    """
    if "overrides" not in record.get("model", {}):
        raise BadInputError(f"{path}: an older version's run, which cannot be resumed: take another work directory")


def _check_data(config: ml_collections.ConfigDict) -> None:
    data, arguments = config.data, model_arguments(config)
    if not data.train:
        raise BadInputError("data.train is empty: it names prepared data as ('folder:split',)")
    for kind in ("train", "validation") if arguments["domains"] else ():
        folders, names = data[kind], data[f"{kind}_domains"]
        if len(names) != len(folders) or not set(names) <= set(arguments["domains"]):
            raise BadInputError(
                f"data.{kind}_domains is {names}: it must name one of {arguments['domains']} "
                f"for each of {len(folders)} folders"
            )
    size = tuple(data.frame_size)
    if len(size) != 2 or any(side < SIZE_DIVISOR or side % SIZE_DIVISOR for side in size):
        raise BadInputError(f"data.frame_size is {size}: (height, width), multiples of {SIZE_DIVISOR}")
    if arguments["adaptation"] and size != FRAME_SIZE:
        raise BadInputError(f"data.frame_size is {size}: the domain classifiers take {FRAME_SIZE}")
    if data.target and not arguments["adaptation"]:
        raise BadInputError(f"data.target is set: the preset {config.model.preset} has no adaptation branch")


def _check_initial_weights(config: ml_collections.ConfigDict) -> None:
    init = config.init
    if init.encoder == REQUIRED and not init.weights:
        raise BadInputError(
            "init.encoder: this configuration starts from S3D weights, which tools/convert_weights.py makes: name "
            "their file, or in init.weights one to fine-tune, or nothing ('') to start from random ones"
        )
    for name in (init.weights, init.encoder):
        if name not in ("", REQUIRED) and not files.exists(name):
            raise BadInputError(f"{name}: no such weight file")
