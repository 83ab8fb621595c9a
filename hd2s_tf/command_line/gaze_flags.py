"""Flags of the layout `gaze`: how gaze was recorded and how it is used."""

from absl import flags

_FLAGS = (
    flags.DEFINE_list("gaze", None, "Tables of gaze, files or patterns; default: all .csv, .tsv and .parquet files."),
    flags.DEFINE_list(
        "columns",
        None,
        "Columns by role, as in x=GX,y=GY,time=T; the roles are x, y, time, end, duration, video, observer, kind, "
        "event, valid, blink. The columns of common exports are found by their names.",
    ),
    flags.DEFINE_string(
        "coordinates",
        None,
        "What x and y count: stimulus, screen or centred (pixels; centred: of the screen from its centre, y upwards), "
        "relative or relative_up (0..1 of the stimulus from the upper or lower left), relative_screen.",
    ),
    flags.DEFINE_string("time_unit", None, "Of times and durations: ns, us, ms, s or frames."),
    flags.DEFINE_string("clock", None, "Whether times count from the stimulus or from before it (recording)."),
    flags.DEFINE_string("screen", None, "Size in pixels, as in 1920x1080, of what videos were fitted to."),
    flags.DEFINE_float("pixels_per_degree", None, "Pixels of the screen in a degree of visual angle."),
    flags.DEFINE_float("distance", None, "From the eyes to the screen, in the unit of --screen_width."),
    flags.DEFINE_float("screen_width", None, "Width of the screen, in place of --pixels_per_degree."),
    flags.DEFINE_string(
        "fixations",
        None,
        "What becomes of rows: auto (fixations as they are, samples by ivt), table, ivt or idt (samples grouped to "
        "fixations by velocity or dispersion), raw (every sample counts).",
    ),
    flags.DEFINE_float("velocity", None, "Of ivt: degrees a second from which a sample belongs to a saccade."),
    flags.DEFINE_float("dispersion", None, "Of idt: degrees that a fixation extends at most, along x plus along y."),
    flags.DEFINE_float("shortest", None, "Milliseconds that a fixation lasts at least, where samples are grouped."),
    flags.DEFINE_string(
        "sigma",
        None,
        "Standard deviation of the Gaussian around a fixation: 12.7px (of the stimulus), 1deg or 0.02w (its width); "
        "default: DHF1K's, 0.0199w.",
    ),
    flags.DEFINE_string("split_list", None, "Table with the columns video and split; others are for training."),
    flags.DEFINE_string("observers", None, "Whose gaze is kept: all, odd, even, or names separated by commas."),
)  # fmt: skip


def given() -> dict[str, object] | None:
    """The flags that are given, by name; None for none."""
    return {flag.name: flag.value for flag in _FLAGS if flag.value is not None} or None
