"""The batches of a run, on every device of a strategy, from any update on."""

import dataclasses
from collections.abc import Iterator, Sequence

import ml_collections
import tensorflow as tf

from hd2s_tf.data import clips, records, synthetic
from hd2s_tf.data.augmentation import Augmentation
from hd2s_tf.errors import BadInputError
from hd2s_tf.training import settings

# Names generated data in place of a folder.
GENERATED = "generated"
# Batches prepared ahead.
_AHEAD = 2
# Of random choices: those of target clips are independent of those of source clips.
_TARGET_STREAM = 1


def open_splits(names: tuple[str, ...]) -> list[records.Dataset]:
    """Opens prepared data, each named "folder:split".

    Raises:
      BadInputError: a name without a split, or nothing prepared there.
    """
    datasets = []
    for name in names:
        folder, colon, split = name.rpartition(":")
        if folder == GENERATED:
            folder = synthetic.prepared()
        if not colon or not folder or split.startswith("//"):
            raise BadInputError(f"{name!r}: prepared data is named as folder:split, for example prepared/DHF1K:train")
        datasets.append(records.load_dataset(folder, split))
    return datasets


def domain_indices(datasets: Sequence[records.Dataset], names: Sequence[str], domains: Sequence[str]) -> list[int]:
    """The domain of each data set by its name; 0 where the model has none."""
    return [domains.index(name) for name in names] if domains else [0] * len(datasets)


class TrainingData:
    """Batches as an objective takes them: of labelled folders in turn, or pairs of source and target.

    Args:
      config: checked settings, see `hd2s_tf.training.settings`.
      strategy: of tf.distribute.

    Attributes:
      description: what it was made of, for the run's record.
    """

    def __init__(self, config: ml_collections.ConfigDict, strategy: tf.distribute.Strategy) -> None:
        data, model = config.data, settings.model_arguments(config)
        self._strategy = strategy
        self._sources, self._targets = open_splits(data.train), open_splits(data.target)
        self._domains = domain_indices(self._sources, data.train_domains, model["domains"])
        self._sampling = clips.Sampling(
            data.batch_size,
            config.seed,
            clip_frames=model["clip_frames"],
            size=data.frame_size,
            augmentation=Augmentation(**data.augmentation),
            unit=data.sampling,
        )
        distinct = {dataset.folder: dataset for dataset in (*self._sources, *self._targets)}
        self.description = [dataset.description for dataset in distinct.values()]

    def batches(self, start_step: int) -> Iterator[dict]:
        """Distributed batches from a step (a batch of the whole run) on; the same whenever they are asked for."""

        def pipeline(context: tf.distribute.InputContext) -> tf.data.Dataset:
            pipelines = context.num_input_pipelines
            share = clips.Share(context.input_pipeline_id, pipelines, context.num_replicas_in_sync // pipelines)
            return self._pipeline(start_step, share).prefetch(_AHEAD)

        if self._strategy.num_replicas_in_sync == 1:
            return clips.with_run_errors(_ahead(self._pipeline(start_step, clips.WHOLE)))
        return clips.with_run_errors(self._strategy.distribute_datasets_from_function(pipeline))

    def _pipeline(self, start_step: int, share: clips.Share) -> tf.data.Dataset:
        where = {"start_step": start_step, "share": share}
        source = clips.training_batches(self._sources, self._sampling, domains=self._domains, **where)
        if not self._targets:
            return source
        sampling = dataclasses.replace(self._sampling, stream=_TARGET_STREAM)
        target = clips.training_batches(self._targets, sampling, labelled=False, **where)
        return clips.paired_with_target(source, target)


def _ahead(batches: tf.data.Dataset) -> tf.data.Dataset:
    """The next batches while one is used: in the memory of the GPU if there is one."""
    gpus = tf.config.list_logical_devices("GPU")
    if not gpus:
        return batches.prefetch(_AHEAD)
    return batches.prefetch(_AHEAD).apply(tf.data.experimental.prefetch_to_device(gpus[0].name, _AHEAD))
