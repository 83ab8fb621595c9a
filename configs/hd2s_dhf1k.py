"""HD2S on DHF1K, supervised (Bellitto et al., IJCV 2021, section 4; equation 1).

python tools/train.py --config=configs/hd2s_dhf1k.py --workdir=runs/hd2s_dhf1k --strategy=mirrored \\
    --config.init.encoder=s3d.weights.h5 --config.data.train='("prepared/DHF1K:train",)' \\
    --config.data.validation='("prepared/DHF1K:validation",)'

Cost: 500,000 clips, planned for one GPU. Score: not yet run.
"""

import ml_collections

from hd2s_tf.training import settings


def get_config() -> ml_collections.ConfigDict:
    """The paper's values; without S3D weights it stops."""
    config = settings.paper()
    config.data.train = ("prepared/DHF1K:train",)
    config.data.validation = ("prepared/DHF1K:validation",)
    config.init.encoder = settings.REQUIRED
    return config
