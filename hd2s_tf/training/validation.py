"""Scores of a model in training: loss, NSS and CC on every n-th frame of the validation videos."""

import cv2
import ml_collections
import numpy as np
import tensorflow as tf

from hd2s_tf.data import clips
from hd2s_tf.models.hd2s import HD2S
from hd2s_tf.training import losses, settings
from hd2s_tf.training.batches import domain_indices, open_splits

VALUES = ("loss", "kl_divergence", "nss", "cc")
_PICTURE_ROWS = 4


class Validation:
    """Scores models on a run's validation data, at the network's size and without smoothing.

    The tool that follows the benchmarks is tools/evaluate.py; this is for choosing between updates of one run.

    Args:
      config: checked settings, see `hd2s_tf.training.settings`.
    """

    def __init__(self, config: ml_collections.ConfigDict) -> None:
        data, model = config.data, settings.model_arguments(config)
        self._datasets = open_splits(data.validation)
        self._domains = domain_indices(self._datasets, data.validation_domains, model["domains"])
        self._batch_size, self._clip_frames = data.batch_size, model["clip_frames"]
        self._every = config.every.validation_frame
        self._multi_level = config.loss.multi_level
        self._frame_size = data.frame_size
        self._predict = tf.function(lambda model, batch: model({"clip": batch["clip"], "domain": batch["domain"]}))

    def run(self, model: HD2S) -> tuple[dict[str, float], np.ndarray]:
        """Scores a model.

        Returns:
          The training loss, and of the saliency map alone kl_divergence, nss and cc, each the mean over the data sets
          of the mean over their videos, and the same for each data set where there are several, as in "OSIE/nss"; and
          a picture, uint8 RGB, of some last frames beside their ground truth and prediction.
        """
        by_dataset: dict[str, dict[str, float]] = {}
        rows: list[np.ndarray] = []
        for dataset, domain in zip(self._datasets, self._domains, strict=True):
            videos: dict[str, list[list[float]]] = {}
            batches = clips.evaluation_clips(
                dataset,
                batch_size=self._batch_size,
                every=self._every,
                clip_frames=self._clip_frames,
                size=self._frame_size,
                domain=domain,
            )
            for number, batch in enumerate(clips.with_run_errors(batches)):
                outputs = self._predict(model, {"clip": batch["clip"], "domain": batch["domain"]})
                for video, *scores in zip(batch["video"].numpy(), *self._scores(outputs, batch), strict=True):
                    videos.setdefault(video, []).append(scores)
                if number == 0:
                    rows += _rows(batch, outputs)
            means = np.nanmean([np.nanmean(scores, 0) for scores in videos.values()], 0)
            by_dataset[dataset.name] = dict(zip(VALUES, means.tolist(), strict=True))
        scores = {name: float(np.mean([values[name] for values in by_dataset.values()])) for name in VALUES}
        if len(by_dataset) > 1:
            scores |= {f"{dataset}/{name}": v for dataset, values in by_dataset.items() for name, v in values.items()}
        return scores, np.vstack(rows[: 2 * _PICTURE_ROWS])

    def _scores(self, outputs: dict[str, tf.Tensor], batch: dict[str, tf.Tensor]) -> tuple[np.ndarray, ...]:
        saliency_map = outputs["saliency_map"]
        return (
            losses.saliency_loss(outputs, batch["saliency_map"], self._multi_level).numpy(),
            losses.kl_divergence(batch["saliency_map"], saliency_map).numpy(),
            losses.nss(saliency_map, batch["fixation_map"]).numpy(),
            losses.correlation(saliency_map, batch["saliency_map"]).numpy(),
        )


def _rows(batch: dict[str, tf.Tensor], outputs: dict[str, tf.Tensor]) -> list[np.ndarray]:
    rows = []
    for clip, truth, predicted in zip(
        batch["clip"].numpy(), batch["saliency_map"].numpy(), outputs["saliency_map"].numpy(), strict=True
    ):
        frame = np.uint8(np.clip((clip[-1] + 1) * 127.5, 0, 255))
        maps = [np.uint8(255 * values / max(values.max(), 1e-9)) for values in (truth, predicted)]
        rows.append(np.hstack([frame, *(cv2.cvtColor(values, cv2.COLOR_GRAY2RGB) for values in maps)]))
    return rows[:_PICTURE_ROWS]
