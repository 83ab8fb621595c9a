"""A short run on generated videos, to see that a machine can train.

python tools/train.py --config=configs/smoke.py --workdir=runs/smoke

Cost: a few minutes at most on 2 cores. Score: meaningless.
"""

import ml_collections

from hd2s_tf.training import settings


def get_config() -> ml_collections.ConfigDict:
    """Eight updates of a very narrow model."""
    config = settings.paper()
    config.model.preset = "hd2s_tiny"
    config.model.overrides.width_multiplier = 0.125
    config.model.overrides.momentum = 0.9
    config.data.train = ("generated:train",)
    config.data.validation = ("generated:validation",)
    config.data.batch_size = 2
    config.optimizer.accumulation = 2
    config.optimizer.updates = 8
    config.optimizer.average_momentum = 0.9
    config.every.log = 1
    config.every.checkpoint = 2
    config.every.evaluation = 4
    config.every.validation_frame = 3
    return config
