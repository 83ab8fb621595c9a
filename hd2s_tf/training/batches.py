"""The batches of a run, on every device of a strategy, from any update on."""

from collections.abc import Iterator

import ml_collections
import tensorflow as tf

from hd2s_tf.data import augmentation, clips, records, synthetic
from hd2s_tf.errors import BadInputError

# Names generated data in place of a folder.
GENERATED = "generated"
# Batches made ready before they are asked for.
_AHEAD = 2


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


def domain_indices(folders: tuple[str, ...], names: tuple[str, ...], domains: tuple[str, ...]) -> list[int]:
    """The domain of each folder; 0 where the model has none.

    Raises:
      BadInputError: not one name for each folder, or a name the model does not have.
    """
    if not domains:
        return [0] * len(folders)
    unknown = [name for name in names if name not in domains]
    if len(names) != len(folders) or unknown:
        raise BadInputError(
            f"domains of the data are {names}: they must name one of {domains} for each of {len(folders)} folders"
        )
    return [domains.index(name) for name in names]


class TrainingData:
    """Batches as an objective takes them: of labelled folders in turn, or pairs of source and target.

    Attributes:
      description: what it was made of, for the run's record.
    """

    def __init__(self, config: ml_collections.ConfigDict, strategy: tf.distribute.Strategy) -> None:
        settings = config.data
        if not settings.train:
            raise BadInputError("data.train is empty: give --config.data.train='(\"folder:split\",)'")
        self._strategy = strategy
        self._sources = open_splits(settings.train)
        self._domains = domain_indices(settings.train, settings.train_domains, config.model.domains)
        self._targets = open_splits(settings.target)
        replicas = strategy.num_replicas_in_sync
        if settings.batch_size % replicas:
            raise BadInputError(f"data.batch_size is {settings.batch_size}: {replicas} replicas must share it evenly")
        self._sampling = clips.Sampling(
            settings.batch_size,
            config.seed,
            size=settings.frame_size,
            augmentation=augmentation.Augmentation(**settings.augmentation),
            unit=settings.sampling,
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
        target = clips.training_batches(self._targets, self._sampling, labelled=False, **where)
        return clips.paired_with_target(source, target)


def _ahead(batches: tf.data.Dataset) -> tf.data.Dataset:
    """The next batches while one is used: in the memory of the GPU if there is one."""
    gpus = tf.config.list_logical_devices("GPU")
    if not gpus:
        return batches.prefetch(_AHEAD)
    return batches.prefetch(_AHEAD).apply(tf.data.experimental.prefetch_to_device(gpus[0].name, _AHEAD))
