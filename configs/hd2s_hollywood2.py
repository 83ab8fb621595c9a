"""HD2S on Hollywood-2, supervised (Bellitto et al., IJCV 2021, section 4).

python tools/train.py --config=configs/hd2s_hollywood2.py --workdir=runs/hd2s_hollywood2 --strategy=mirrored \\
    --config.init.encoder=s3d.weights.h5

Cost: 500,000 clips, planned for one GPU. Score: not yet run.
"""

import ml_collections

from hd2s_tf.training import settings


def get_config() -> ml_collections.ConfigDict:
    """The paper's values; without S3D weights, or weights to fine-tune in init.weights, it stops."""
    config = settings.paper()
    config.data.train = ("prepared/Hollywood2:train",)
    config.data.validation = ("prepared/Hollywood2:validation",)
    config.init.encoder = settings.REQUIRED
    return config
