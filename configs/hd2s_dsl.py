"""HD2S specialised to three data sets at once (Bellitto et al., IJCV 2021, section 3.6, table 7).

python tools/train.py --config=configs/hd2s_dsl.py --workdir=runs/hd2s_dsl --strategy=mirrored \\
    --config.init.encoder=s3d.weights.h5

DHF1K's validation split chooses the best weights.

tools/convert_weights.py makes s3d.weights.h5 from S3D's checkpoint or from I3D's (docs/pretraining.md).

Cost: 500,000 clips; the time is not measured.
Score: not yet run. The paper's, NSS and CC: DHF1K 2.875 and 0.500, UCF Sports 3.114 and 0.604, Hollywood-2 3.352 and
0.670 (table 7).
"""

import ml_collections

from hd2s_tf.models.presets import PUBLISHED_DOMAINS
from hd2s_tf.training import settings


def get_config() -> ml_collections.ConfigDict:
    """The paper's values: a batch holds one data set, the sets take turns, DHF1K's split validates."""
    config = settings.paper()
    config.model.preset = "hd2s_dsl"
    config.data.train = ("prepared/DHF1K:train", "prepared/Hollywood2:train", "prepared/UCFSports:train")
    config.data.train_domains = PUBLISHED_DOMAINS
    config.data.validation = ("prepared/DHF1K:validation",)
    config.data.validation_domains = PUBLISHED_DOMAINS[:1]
    config.init.encoder = settings.REQUIRED
    return config
