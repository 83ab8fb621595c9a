"""Measures prepared data sets and draws them.

    python tools/dataset_stats.py --data_dir=prepared/DHF1K --data_dir=prepared/UCF --output_dir=out/stats

Writes stats.json (videos, frames, lengths, fixations a frame and over time, distance from the centre; of gaze data also
durations and how well observers agree), stats.png (these drawn, with mean maps; the paper's figure 3) and clips.png (a
few clips of each set with their ground truth).
"""

import json

from absl import flags

from hd2s_tf import command_line

_DATA_DIR = flags.DEFINE_multi_string("data_dir", None, "Prepared data; may be given several times.", required=True)
_SPLITS = flags.DEFINE_list("splits", [], "Splits to measure; default: all.")
_OUTPUT_DIR = flags.DEFINE_string("output_dir", None, "Folder to write to.", required=True)
_SEED = flags.DEFINE_integer("seed", 0, "Seed of the choice of clips.")


def main() -> None:
    """Parses the flags and measures."""
    from hd2s_tf import files
    from hd2s_tf.data import images, records, statistics

    datasets = [dataset for folder in _DATA_DIR.value for dataset in records.load_splits(folder, tuple(_SPLITS.value))]
    measured = {f"{dataset.name}/{dataset.information['split']}": statistics.measure(dataset) for dataset in datasets}
    files.make_folder(_OUTPUT_DIR.value)
    numbers = {name: values for name, (values, _) in measured.items()}
    written = {
        "stats.json": json.dumps(numbers, indent=1).encode() + b"\n",
        "stats.png": statistics.picture(measured),
        "clips.png": images.png(statistics.clips_picture(datasets, _SEED.value)),
    }
    for name, data in written.items():
        files.write_bytes(files.join(_OUTPUT_DIR.value, name), data)
    for name, values in numbers.items():
        fixations = values["fixations_per_frame"]["mean"]
        print(f"{name}: {values['videos']} videos, {values['frames']} frames, {fixations:.1f} fixations a frame")


if __name__ == "__main__":
    command_line.run(main)
