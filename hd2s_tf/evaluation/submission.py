"""The folder of maps that the DHF1K benchmark expects: `<method>/<video>/<frame>.png`."""

from collections.abc import Sequence

import numpy as np

from hd2s_tf import files
from hd2s_tf.data import images
from hd2s_tf.errors import RunError
from hd2s_tf.evaluation.ground_truth import ScoredVideo
from hd2s_tf.evaluation.predictions import PredictedFrame, enumeration


class Submission:
    """Writes a submission and checks that it is complete.

    Args:
      folder: of the method.
    """

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self._counts: dict[str, int] = {}

    def expect(self, scored: ScoredVideo, frame_count: int) -> None:
        """Sets how many frames a video has; until then its header is believed."""
        self._counts[scored.name] = frame_count

    def write(self, scored: ScoredVideo, index: int, predicted: PredictedFrame) -> None:
        """Writes a frame's map, 8-bit and of the frame's size, unless it is not finite."""
        if np.isfinite(predicted.saliency_map).all():
            files.make_folder(files.join(self.folder, scored.name))
            path = files.join(self.folder, scored.name, f"{scored.frame_name(index)}.png")
            files.write_bytes(path, images.png(predicted.pixels))

    def has(self, scored: ScoredVideo) -> bool:
        """Whether a video's maps are all there, and nothing else."""
        return not self._differences(scored)

    def check(self, videos: Sequence[ScoredVideo]) -> None:
        """Compares what lies in the folder with what should.

        Raises:
          RunError: maps are missing, or there is something that belongs to no frame.
        """
        present = set(files.list_folder(self.folder)) if files.is_folder(self.folder) else set()
        differences = [f"{name}, which is no video" for name in sorted(present - {scored.name for scored in videos})]
        differences += [difference for scored in videos for difference in self._differences(scored)]
        if differences:
            raise RunError(f"{self.folder}: the submission is not as it should be: {enumeration(differences)}")

    def _differences(self, scored: ScoredVideo) -> list[str]:
        folder = files.join(self.folder, scored.name)
        present = set(files.list_folder(folder)) if files.is_folder(folder) else set()
        count = self._counts.get(scored.name, len(scored.frame_names))
        if scored.labelled:
            count = min(count, len(scored.frame_names))
        wanted = {f"{scored.frame_name(index)}.png" for index in range(count)}
        return [
            *(f"{scored.name}/{name} is missing" for name in sorted(wanted - present)),
            *(f"{scored.name}/{name}, which is no frame" for name in sorted(present - wanted)),
        ]
