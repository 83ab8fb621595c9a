"""Flags of the network and of prediction; each tool defines those that it needs."""

from absl import flags

# The flags belong to the tools that call these functions, so that --help lists them.
flags.disclaim_key_flags()


def define_weights(default: str | None, others: str) -> flags.FlagHolder:
    """Defines --weights; `others` are its further values."""
    return flags.DEFINE_string("weights", default, f"A .weights.h5 file, 'auto' for the bundled ones, or {others}.")


def define_preset() -> flags.FlagHolder:
    """Defines --preset."""
    return flags.DEFINE_string("preset", None, "Model; default: what the weights name, or hd2s_tiny.")


def define_domain(others: str = "") -> flags.FlagHolder:
    """Defines --domain; `others` is said of further values."""
    return flags.DEFINE_string("domain", None, f"Data set that a domain-specific model predicts for{others}.")


def define_precision() -> flags.FlagHolder:
    """Defines --precision."""
    return flags.DEFINE_enum("precision", "auto", ["auto", "float32", "bfloat16"], "Arithmetic of the network.")


def define_batch_size() -> flags.FlagHolder:
    """Defines --batch_size."""
    return flags.DEFINE_integer("batch_size", None, "Windows predicted at a time; default: 8.", lower_bound=1)


def define_stride() -> flags.FlagHolder:
    """Defines --stride."""
    return flags.DEFINE_integer("stride", 1, "Predict every n-th frame and interpolate between.", lower_bound=1)


def define_smoothing_sigma() -> flags.FlagHolder:
    """Defines --smoothing_sigma."""
    return flags.DEFINE_float(
        "smoothing_sigma", None, "Gaussian filter of the maps, in pixels at 128x192; default: 5, hd2s_tiny 0."
    )


def define_compat() -> flags.FlagHolder:
    """Defines --compat."""
    meaning = "Predict as the published code does, for weights converted from a published file."
    return flags.DEFINE_enum("compat", None, ["published"], meaning)
