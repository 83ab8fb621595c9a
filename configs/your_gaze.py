"""The bundled model fine-tuned to gaze of your own, as docs/your_own_gaze.md shows.

python tools/train.py --config=configs/your_gaze.py --workdir=runs/mine

Cost and score: see docs/your_own_gaze.md.
"""

import ml_collections

from hd2s_tf.training import settings


def get_config() -> ml_collections.ConfigDict:
    """Small steps from the bundled weights; weights that score best on the validation videos are kept."""
    config = settings.paper()
    config.model.preset = "hd2s_tiny"
    config.model.overrides.momentum = 0.99
    config.init.weights = "hd2s_tf/weights/hd2s_tiny.weights.h5"
    config.selected_by = "nss"
    config.data.train = ("prepared/mine:train",)
    config.data.validation = ("prepared/mine:validation",)
    config.data.augmentation.zoom = 0.2
    config.data.augmentation.brightness = 0.1
    config.data.augmentation.contrast = 0.2

    config.loss.terms.cc = 0.5
    config.loss.terms.nss = 0.1

    config.optimizer.learning_rate = 3e-4
    config.optimizer.schedule = "cosine"
    config.optimizer.warmup = 20
    config.optimizer.gradient_clip = 5.0
    config.optimizer.accumulation = 1
    config.optimizer.updates = 200
    config.optimizer.average_momentum = 0.97

    config.every.log = 10
    config.every.checkpoint = 50
    config.every.evaluation = 50
    config.every.validation_frame = 10
    return config
