"""HD2S on DHF1K with some of the conspicuity networks only (Bellitto et al., IJCV 2021, section 4.3, tables 3 and 4).

python tools/train.py --config=configs/ablation.py:4+3+2 --workdir=runs/ablation_432 --strategy=mirrored \\
    --config.init.encoder=s3d.weights.h5

Table 3 is 4, 4+3, 4+3+2, 4+3+2+1 and, with the multi-level loss, configs/hd2s.py; table 4 is 1, 2, 3 and 4 alone.
tools/experiments.py runs either as a whole.

tools/convert_weights.py makes s3d.weights.h5 from S3D's checkpoint or from I3D's (docs/pretraining.md).

Cost: 500,000 clips; the time is not measured.
Score: not yet run. The paper's NSS: 4 2.602, 4+3 2.612, 4+3+2 2.699, 4+3+2+1 2.743 (table 3); 1 2.191, 2 2.605, 3 2.663
(table 4).
"""

import ml_collections

from hd2s_tf.models.hd2s import LEVELS
from hd2s_tf.training import settings


def get_config(levels: str = "4+3+2+1") -> ml_collections.ConfigDict:
    """The paper's values for levels joined by "+"; only the saliency map is supervised."""
    chosen = sorted(int(level) for level in levels.split("+"))
    if not set(chosen) <= set(LEVELS) or len(set(chosen)) < len(chosen):
        raise ValueError(f"{levels!r}: levels 1 (shallow) to 4 (deep), each once, joined by +")
    config = settings.paper()
    config.model.overrides.levels = tuple(chosen)
    config.loss.multi_level = False
    config.data.train = ("prepared/DHF1K:train",)
    config.data.validation = ("prepared/DHF1K:validation",)
    config.init.encoder = settings.REQUIRED
    return config
