"""What tools/experiments.py trains and tests: the paper's experiments on its data sets, or small ones on real gaze.

python tools/experiments.py --config=configs/experiments.py:gaze --matrix=all --data_root=prepared --workdir=runs/gaze
python tools/experiments.py --config=configs/experiments.py:paper --matrix=table5 --data_root=prepared \\
    --workdir=runs/paper --config.recipe.init.encoder=s3d.weights.h5

tools/convert_weights.py makes s3d.weights.h5 from S3D's checkpoint or from I3D's (docs/pretraining.md).

Cost: "gaze" two to eight minutes a training on 2 cores, 25 of them for a seed; "paper" 500,000 clips a training.
Score: docs/experiments.md for "gaze"; "paper" was not yet run.
"""

import ml_collections

from hd2s_tf.training import settings


def get_config(scale: str = "gaze") -> ml_collections.ConfigDict:
    """The recipe of every training, the data sets by name, and which of them each table takes."""
    makers = {"gaze": _gaze, "paper": _paper}
    if scale not in makers:
        raise ValueError(f"configs/experiments.py:{scale}: it is {' or '.join(makers)}")
    config = ml_collections.ConfigDict()
    config.recipe = settings.paper()
    # Of each data set: folders below --data_root with a split, to train on, to choose the best weights by ("" to take
    # the last ones) and to test on.
    config.domains = ml_collections.ConfigDict()
    # How tests are scored; see hd2s_tf/evaluation/protocol.py.
    config.protocol = "videos"
    # Of a test video every n-th frame is predicted and scored.
    config.test_every = 1
    makers[scale](config)
    return config


def _paper(config: ml_collections.ConfigDict) -> None:
    """The paper's values; without S3D weights it stops. DHF1K's test split here is its videos 601 to 700."""
    config.recipe.init.encoder = settings.REQUIRED
    config.protocol = "dhf1k"
    config.domains.DHF1K = ("DHF1K:train", "DHF1K:validation", "DHF1K:test")
    config.domains.Hollywood2 = ("Hollywood2:train", "Hollywood2:validation", "Hollywood2:test")
    config.domains.UCFSports = ("UCFSports:train", "UCFSports:validation", "UCFSports:test")
    config.domains.LEDOV = ("LEDOV:train", "LEDOV:validation", "LEDOV:test")
    labelled = ("DHF1K", "Hollywood2", "UCFSports")
    config.ablated = ("DHF1K",)
    config.pairs = tuple((source, target) for source in labelled for target in labelled if source != target)
    config.unseen = ml_collections.ConfigDict(
        {"source": "DHF1K", "target": "LEDOV", "tested": ("Hollywood2", "UCFSports")}
    )
    config.specialised = labelled


def _gaze(config: ml_collections.ConfigDict) -> None:
    """Three sets that are small enough for two cores: an eighth of the widths, 800 clips a training."""
    recipe = config.recipe
    recipe.model.overrides.width_multiplier = 0.125
    recipe.model.overrides.momentum = 0.95
    recipe.data.batch_size = 4
    recipe.data.augmentation.zoom = 0.3
    recipe.data.augmentation.brightness = 0.12
    recipe.data.augmentation.contrast = 0.3
    recipe.data.augmentation.saturation = 0.4
    recipe.optimizer.learning_rate = 2e-3
    recipe.optimizer.schedule = "cosine"
    recipe.optimizer.warmup = 20
    recipe.optimizer.gradient_clip = 5.0
    recipe.optimizer.accumulation = 1
    recipe.optimizer.updates = 200
    recipe.optimizer.average_momentum = 0.97
    recipe.every.log = 25
    recipe.every.checkpoint = 100

    config.domains.OSIE = ("osie:train", "", "osie:test")
    config.domains.FIND = ("find:train", "", "find:validation")
    config.domains.EToCVD = ("etocvd:train", "", "etocvd:test")
    config.test_every = 10
    config.ablated = ("OSIE", "FIND")
    config.pairs = (("OSIE", "FIND"), ("FIND", "OSIE"), ("OSIE", "EToCVD"))
    config.unseen = ml_collections.ConfigDict({"source": "OSIE", "target": "EToCVD", "tested": ("FIND",)})
    config.specialised = ("OSIE", "FIND", "EToCVD")
