"""The bundled small model: a quarter of the widths, from scratch, on videos and still images.

A recipe of this project: stills and videos in turn, strong augmentation, CC and NSS beside the divergence, averaged
weights. The first stage holds videos and stills out to choose weights by; the second continues from its weights with
all the data. Data as in hd2s_tf/weights/MODEL_CARD.md.

python tools/train.py --config=configs/hd2s_tiny.py --workdir=runs/tiny
python tools/train.py --config=configs/hd2s_tiny.py:everything --workdir=runs/tiny_everything

Cost: 76 and 9 minutes on 2 cores that did other work too. Score: see the model card.
"""

import ml_collections

from hd2s_tf.training import settings


def get_config(stage: str = "validated") -> ml_collections.ConfigDict:
    """The first stage, or with "everything" the second.

    Frames are prepared larger than the network's (192x288), so that crops keep their detail.
    """
    config = settings.paper()
    config.model.preset = "hd2s_tiny"
    config.model.overrides.momentum = 0.95
    config.model.overrides.dropout = 0.2
    config.selected_by = "nss"

    videos, stills, more_stills = "prepared/find:train", "prepared/osie:train", "prepared/etocvd:train"
    config.data.train = (videos, stills, stills, videos, stills, more_stills)
    config.data.validation = ("prepared/find:validation", "prepared/osie:test")
    config.data.augmentation.zoom = 0.5
    config.data.augmentation.stretch = 0.15
    config.data.augmentation.pan = 0.12
    config.data.augmentation.brightness = 0.12
    config.data.augmentation.contrast = 0.3
    config.data.augmentation.saturation = 0.4
    config.data.augmentation.tempo = 0.3

    config.loss.terms.cc = 0.5
    config.loss.terms.nss = 0.1

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
    if stage == "everything":
        _train_on_everything(config)
    return config


def _train_on_everything(config: ml_collections.ConfigDict) -> None:
    """The second stage's differences: all data, each still equally often, and small steps."""
    videos, stills, test_stills = "prepared/find_all:train", "prepared/osie:train", "prepared/osie:test"
    more_stills = ("prepared/etocvd:train", "prepared/etocvd:test")
    four_sets = (videos, stills, stills, videos)
    config.data.train = (*four_sets, test_stills, more_stills[0], *four_sets, stills, more_stills[1])
    config.data.validation = ()
    config.init.weights = "runs/tiny/last.weights.h5"
    config.optimizer.learning_rate = 5e-4
    config.optimizer.warmup = 50
    config.optimizer.updates = 480
    config.optimizer.average_momentum = 0.99
