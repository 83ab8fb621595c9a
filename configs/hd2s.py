"""HD2S on one data set, supervised (Bellitto et al., IJCV 2021, section 4.2; loss of section 3.4, equation 1).

python tools/train.py --config=configs/hd2s.py:DHF1K --workdir=runs/hd2s_dhf1k --strategy=mirrored \\
    --config.init.encoder=s3d.weights.h5
python tools/train.py --config=configs/hd2s.py:UCFSports --workdir=runs/hd2s_ucf --strategy=mirrored \\
    --config.init.weights=runs/hd2s_dhf1k/best.weights.h5

Data: DHF1K, UCFSports or Hollywood2, prepared in prepared/<name> with splits train and validation.
Cost: 500,000 clips; the time is not measured. Score: not yet run.
"""

import ml_collections

from hd2s_tf.training import settings

DATASETS = ("DHF1K", "UCFSports", "Hollywood2")


def get_config(dataset: str = "DHF1K") -> ml_collections.ConfigDict:
    """The paper's values; without S3D weights, or weights to fine-tune in init.weights, it stops."""
    if dataset not in DATASETS:
        raise ValueError(f"configs/hd2s.py:{dataset}: it is {', '.join(DATASETS)}")
    config = settings.paper()
    config.data.train = (f"prepared/{dataset}:train",)
    config.data.validation = (f"prepared/{dataset}:validation",)
    config.init.encoder = settings.REQUIRED
    return config
