"""HD2S adapted from DHF1K to the unlabelled videos of LEDOV (Bellitto et al., IJCV 2021, section 3.2, table 6).

python tools/train.py --config=configs/hd2s_da.py --workdir=runs/hd2s_da --strategy=mirrored \\
    --config.init.encoder=s3d.weights.h5

Other sources and targets (table 5): --config.data.train and --config.data.target.

Cost: 1,000,000 clips, half of them without maps, planned for one GPU. Score: not yet run.
"""

import ml_collections

from hd2s_tf.training import settings


def get_config() -> ml_collections.ConfigDict:
    """The paper's values; without S3D weights it stops."""
    config = settings.paper()
    config.model.preset = "hd2s_da"
    config.data.train = ("prepared/DHF1K:train",)
    config.data.target = ("prepared/LEDOV:train",)
    config.data.validation = ("prepared/DHF1K:validation",)
    config.init.encoder = settings.REQUIRED
    return config
