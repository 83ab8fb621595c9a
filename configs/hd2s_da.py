"""HD2S adapted from a labelled data set to the unlabelled videos of another (Bellitto et al., IJCV 2021, section 3.5).

python tools/train.py --config=configs/hd2s_da.py --workdir=runs/hd2s_da --strategy=mirrored \\
    --config.init.encoder=s3d.weights.h5
python tools/train.py --config=configs/hd2s_da.py:Hollywood2-UCFSports --workdir=runs/hd2s_da_ucf --strategy=mirrored \\
    --config.init.encoder=s3d.weights.h5

DHF1K-LEDOV is table 6's; the pairs of DHF1K, Hollywood2 and UCFSports are table 5's. The source's validation split
chooses the best weights.

tools/convert_weights.py makes s3d.weights.h5 from S3D's checkpoint or from I3D's (docs/pretraining.md).

Cost: 1,000,000 clips, half of them without maps; the time is not measured.
Score: not yet run. The paper's AUC-Judd of DHF1K-LEDOV on UCF Sports 0.900, on Hollywood-2 0.926 (table 6).
"""

import ml_collections

from hd2s_tf.training import settings

_LABELLED, _UNLABELLED = ("DHF1K", "Hollywood2", "UCFSports"), ("LEDOV",)


def get_config(pair: str = "DHF1K-LEDOV") -> ml_collections.ConfigDict:
    """The paper's values for source-target; without S3D weights it stops."""
    source, _, target = pair.partition("-")
    if source not in _LABELLED or target not in (*_LABELLED, *_UNLABELLED) or source == target:
        names = ", ".join(_LABELLED)
        raise ValueError(f"{pair!r}: a pair source-target, the source of {names}, the target another of them or LEDOV")
    config = settings.paper()
    config.model.preset = "hd2s_da"
    config.data.train = (f"prepared/{source}:train",)
    config.data.target = (f"prepared/{target}:train",)
    config.data.validation = (f"prepared/{source}:validation",)
    config.init.encoder = settings.REQUIRED
    return config
