"""The small model in the box: a quarter of the widths, from scratch, on videos and still images.

Recipe of this project: stills and videos in turn, strong augmentation, averaged weights. Data as in MODEL_CARD.md:

python tools/train.py --config=configs/hd2s_tiny.py --workdir=runs/hd2s_tiny

Cost and score: see hd2s_tf/weights/MODEL_CARD.md.
"""

import ml_collections

from hd2s_tf.training import settings


def get_config() -> ml_collections.ConfigDict:
    """Frames are prepared larger than the network's (192x288), so that crops keep their detail."""
    config = settings.paper()
    config.model.preset = "hd2s_tiny"
    config.model.width_multiplier = 0.25
    config.model.momentum = 0.95
    config.model.dropout = 0.2

    videos, stills, more_stills = "prepared/find:train", "prepared/osie:train", "prepared/etocvd:train"
    config.data.train = (videos, stills, stills, videos, stills, more_stills)
    config.data.validation = ("prepared/find:validation", "prepared/osie:test")
    config.data.sampling = "videos"
    config.data.augmentation.zoom = 0.5
    config.data.augmentation.stretch = 0.15
    config.data.augmentation.pan = 0.12
    config.data.augmentation.brightness = 0.12
    config.data.augmentation.contrast = 0.3
    config.data.augmentation.saturation = 0.4
    config.data.augmentation.tempo = 0.3

    config.loss.cc_weight = 0.5
    config.loss.nss_weight = 0.1

    config.optimizer.learning_rate = 2e-3
    config.optimizer.schedule = "cosine"
    config.optimizer.warmup = 100
    config.optimizer.gradient_clip = 5.0
    config.optimizer.accumulation = 1
    config.optimizer.updates = 2600
    config.optimizer.average_momentum = 0.997

    config.every.log = 25
    config.every.checkpoint = 200
    config.every.evaluation = 400
    config.every.validation_frame = 20
    return config
