"""HD2S on one data set, supervised (Bellitto et al., IJCV 2021, section 4.2; loss of section 3.4, equation 1).

python tools/train.py --config=configs/hd2s.py:DHF1K --workdir=runs/hd2s_dhf1k --strategy=mirrored \\
    --config.init.encoder=s3d.weights.h5
python tools/train.py --config=configs/hd2s.py:UCFSports --workdir=runs/hd2s_ucf --strategy=mirrored \\
    --config.init.weights=runs/hd2s_dhf1k/best.weights.h5

The first trains from S3D's weights, the second fine-tunes ("transfer learning" in the paper). Hollywood2 is the third
set. Each is prepared in prepared/<name>, where 10 % of the training videos are the validation split that chooses the
best weights; DHF1K's videos 601 to 700 are its test split, never seen in training.

tools/convert_weights.py makes s3d.weights.h5 from S3D's checkpoint or from I3D's (docs/pretraining.md).

Cost: 500,000 clips; the time is not measured.
Score: not yet run. The paper's, NSS and CC: DHF1K 2.806 and 0.489 (table 3); from DHF1K's weights UCF Sports 3.001 and
0.594, Hollywood-2 3.426 and 0.668 (table 5); from S3D's 2.803 and 0.589, 3.235 and 0.660 (table 7).
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
