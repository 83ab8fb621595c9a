"""Pictures of the experiments: a table's bars, the fusion's weights (figure 5), the maps of a frame (figure 6)."""

from collections.abc import Callable, Sequence

import cv2
import keras
import ml_collections
import numpy as np

from hd2s_tf import files, plotting
from hd2s_tf.evaluation.ground_truth import ScoredVideo, open_videos
from hd2s_tf.evaluation.predictions import NetworkPredictor
from hd2s_tf.evaluation.protocol import METRICS
from hd2s_tf.experiments import matrices, tables
from hd2s_tf.experiments.matrices import Matrix, Training
from hd2s_tf.inference.loading import load_predict_fn
from hd2s_tf.models.hd2s import LEVELS

# By these the paper compares its arms.
_COMPARED = ("nss", "cc")


def draw_table(path: str, matrix: Matrix, results: Sequence[tables.Result]) -> None:
    """Draws a table's NSS and CC as bars, a group beside the other, with a bar's spread over the seeds as its error."""
    by_group = tables.by_group(results)
    arms = list(dict.fromkeys(result.row.arm for result in results))
    figure = plotting.new_figure(3 + 1.1 * len(results), 6.5)
    figure.suptitle(matrix.title)
    width = 0.8 / len(arms)
    for axes, metric in zip(figure.subplots(len(_COMPARED), 1), _COMPARED, strict=True):
        for number, arm in enumerate(arms):
            members = [(place, r) for place, group in enumerate(by_group.values()) for r in group if r.row.arm == arm]
            places = [place + (number - (len(arms) - 1) / 2) * width for place, _ in members]
            errors = np.nan_to_num([result.spread(metric) for _, result in members])
            heights = [result.mean(metric) for _, result in members]
            axes.bar(places, heights, 0.92 * width, yerr=errors, capsize=3, label=arm)
        axes.set_xticks(range(len(by_group)), list(by_group))
        axes.set_ylabel(METRICS[metric].title)
        axes.grid(axis="y", alpha=0.3)
    figure.axes[0].legend(fontsize=8, loc="best")
    files.write_bytes(path, plotting.png_bytes(figure))


class Figures:
    """The paper's figures 5 and 6 for the first pair of table 5 and the data sets of table 7.

    Args:
      config: as configs/experiments.py makes it.
      weights: the weight file of a training and a seed.
      data_root, workdir: see `bench.run`.
    """

    def __init__(
        self, config: ml_collections.ConfigDict, weights: Callable[[Training, int], str], data_root: str, workdir: str
    ) -> None:
        self._config, self._weights, self._data_root, self._workdir = config, weights, data_root, workdir
        source, self._target = config.pairs[0]
        self._specific = matrices.specific(tuple(config.specialised))
        # Name in the figures, training, and the domain that a domain-specific model predicts for.
        self._variants = [
            ("base", matrices.base(source), None),
            ("adaptation", matrices.adapted(source, self._target), None),
            *((f"specific, {domain}", self._specific, domain) for domain in config.specialised),
        ]

    def draw(self, seed: int) -> tuple[str, str]:
        """Draws both from the models of a seed; returns the pictures' paths."""
        drawn = files.join(self._workdir, "figure5.png"), files.join(self._workdir, "figure6.png")
        self._fusion(drawn[0], seed)
        self._maps(drawn[1], seed)
        return drawn

    def _fusion(self, path: str, seed: int) -> None:
        figure = plotting.new_figure(3 * len(self._variants), 3)
        axes_of_variants = figure.subplots(1, len(self._variants), sharey=True)
        for axes, (name, training, domain) in zip(axes_of_variants, self._variants, strict=True):
            model = load_predict_fn(self._weights(training, seed), domain=domain).model
            # The fusion sees the maps deep to shallow.
            kernel = model.fusion.kernel.numpy()[model.domains.index(domain) if domain else 0][::-1]
            axes.bar(LEVELS, kernel, color=[f"C{level}" for level in LEVELS])
            axes.set_xticks(LEVELS)
            axes.axhline(0, color="black", linewidth=0.8)
            axes.set_title(name)
            axes.set_xlabel("conspicuity map, shallow to deep")
            keras.utils.clear_session()
        axes_of_variants[0].set_ylabel("fusion weight")
        files.write_bytes(path, plotting.png_bytes(figure))

    def _maps(self, path: str, seed: int) -> None:
        """A row for base, adapted and domain-specific model: frame, ground truth, output, conspicuity maps."""
        folder, _, split = self._config.domains[self._target][2].rpartition(":")
        scored = open_videos(files.join(self._data_root, folder), split)[0]
        index = len(scored.frame_names) // 2
        shown = [variant for variant in self._variants if variant[2] in (None, self._target)]
        titles = ["frame", "ground truth", "saliency map", *(f"conspicuity map {level}" for level in LEVELS)]
        figure = plotting.new_figure(2.1 * len(titles), 1.7 * len(shown))
        rows = figure.subplots(len(shown), len(titles), squeeze=False)
        for axes_of_row, (name, training, domain) in zip(rows, shown, strict=True):
            predict_fn = load_predict_fn(self._weights(training, seed), domain=domain)
            maps = NetworkPredictor(predict_fn, batch_size=1).example(scored, index)
            for axes, picture in zip(axes_of_row, [*_frame_and_truth(scored, index), *maps], strict=True):
                axes.imshow(picture, cmap="inferno")
                axes.set_xticks([])
                axes.set_yticks([])
            axes_of_row[0].set_ylabel(name)
            keras.utils.clear_session()
        for axes, title in zip(rows[0], titles, strict=True):
            axes.set_title(title, fontsize=9)
        files.write_bytes(path, plotting.png_bytes(figure))


def _frame_and_truth(scored: ScoredVideo, index: int) -> tuple[np.ndarray, np.ndarray]:
    frame = scored.read_frames({index})[index]
    truth = scored.read_truth(index).saliency_map.astype(np.float32)
    return frame, cv2.resize(truth, frame.shape[1::-1])
