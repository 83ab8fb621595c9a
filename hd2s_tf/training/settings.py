"""The settings of a training run, with the paper's values; a configuration states where it differs."""

import dataclasses

import ml_collections

from hd2s_tf.data.augmentation import Augmentation
from hd2s_tf.models.presets import DOMAIN_MODULES

# In place of a file's name: the run stops unless one is given.
REQUIRED = "required"


def paper() -> ml_collections.ConfigDict:
    """The paper's supervised recipe (section 4.2) without data; every setting a run has."""
    config = ml_collections.ConfigDict()
    config.seed = 0

    config.model = ml_collections.ConfigDict()
    config.model.preset = "hd2s"
    # Arguments of `HD2S` in place of the preset's.
    config.model.levels = (1, 2, 3, 4)
    config.model.domains = ()
    config.model.domain_modules = DOMAIN_MODULES
    config.model.width_multiplier = 1.0
    # Share of the running statistics that a step keeps; 0 for the published values.
    config.model.momentum = 0.0
    config.model.dropout = 0.0
    config.model.precision = "float32"
    # Whether the encoder's inner values are computed again for the gradient: less memory, more time.
    config.model.recompute = False
    # Whether XLA compiles loss and gradient: for a single GPU; on processors it is slower.
    config.model.jit_compile = False

    config.data = ml_collections.ConfigDict()
    # Prepared folders as "folder:split". Batches come from one after the other; one may be named several times.
    config.data.train = ()
    # The domain of each training folder, a name of model.domains; empty without domains.
    config.data.train_domains = ()
    # Unlabelled target folders of adaptation.
    config.data.target = ()
    config.data.validation = ()
    config.data.validation_domains = ()
    # "windows": every window of a folder is equally likely; "videos": every video is.
    config.data.sampling = "windows"
    config.data.batch_size = 8
    # (height, width) of clips and maps, multiples of 32. Prediction is at 128x192, so smaller ones are for trying.
    config.data.frame_size = (128, 192)
    config.data.augmentation = ml_collections.ConfigDict(dataclasses.asdict(Augmentation()))

    config.loss = ml_collections.ConfigDict()
    config.loss.multi_level = True
    config.loss.domain_weight = 1.0
    # Of CC and NSS beside the divergence.
    config.loss.cc_weight = 0.0
    config.loss.nss_weight = 0.0

    config.optimizer = ml_collections.ConfigDict()
    config.optimizer.learning_rate = 1e-3
    config.optimizer.schedule = "constant"
    config.optimizer.warmup = 0
    config.optimizer.weight_decay = 2e-7
    config.optimizer.gradient_clip = 0.0
    config.optimizer.accumulation = 25
    config.optimizer.updates = 2500
    # Share that the running average of the weights keeps at an update; 0 for none.
    config.optimizer.average_momentum = 0.0

    config.init = ml_collections.ConfigDict()
    # Weights of a whole model to go on from (fine-tuning), or of an S3D encoder; "" for neither.
    config.init.weights = ""
    config.init.encoder = ""

    config.every = ml_collections.ConfigDict()
    config.every.log = 10
    config.every.checkpoint = 50
    config.every.evaluation = 250
    # Of a validation video every n-th frame is scored.
    config.every.validation_frame = 25
    return config
