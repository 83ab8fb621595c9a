"""Flags for input and output, shared by local prediction and the client of a server."""

from absl import flags

INPUT = flags.DEFINE_string("input", None, "Video file, folder of frames, or image.", required=True)
OUTPUT_DIR = flags.DEFINE_string("output_dir", None, "Folder to write to.", required=True)
OVERLAY = flags.DEFINE_bool("overlay", True, "Whether to write overlay.mp4.")
OVERWRITE = flags.DEFINE_bool("overwrite", False, "Whether to replace an earlier output.")


def report(summary: dict) -> None:
    """Prints how long a prediction took and where it is, from the summary that was written."""
    print(f"{summary['frames']} frames in {summary['seconds']:.1f} s: {OUTPUT_DIR.value}")
