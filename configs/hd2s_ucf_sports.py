"""HD2S on UCF Sports, supervised (Bellitto et al., IJCV 2021, section 4).

python tools/train.py --config=configs/hd2s_ucf_sports.py --workdir=runs/hd2s_ucf_sports --strategy=mirrored \\
    --config.init.encoder=s3d.weights.h5

Cost: 500,000 clips, planned for one GPU. Score: not yet run.
"""

import ml_collections

from hd2s_tf.training import settings


def get_config() -> ml_collections.ConfigDict:
    """The paper's values; without S3D weights, or weights to fine-tune in init.weights, it stops."""
    config = settings.paper()
    config.data.train = ("prepared/UCFSports:train",)
    config.data.validation = ("prepared/UCFSports:validation",)
    config.init.encoder = settings.REQUIRED
    return config
