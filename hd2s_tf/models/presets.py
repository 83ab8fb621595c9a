"""The presets of `HD2S`, and the facts of the published network that others need; a table without imports.

A new preset is one entry of `PRESETS`, a new argument of `HD2S` its constructor and one entry of a tuple below.
"""

# A window of the published network, and the (height, width) of its frames in pixels.
CLIP_FRAMES = 16
FRAME_SIZE = (128, 192)
# Of the Gaussian filter behind the network, in pixels at `FRAME_SIZE` (section 3.1).
SMOOTHING_SIGMA = 5.0
# The data sets of the published domain-specific model.
PUBLISHED_DOMAINS = ("DHF1K", "Hollywood", "UCFSports")
# What a domain-specific model can keep apart for every domain (section 3.6).
DOMAIN_MODULES = ("priors", "normalization", "fusion", "smoothing")

# The arguments of `HD2S` in which each preset differs from the constructor's defaults.
PRESETS = {
    # The paper's network: 29.8 million parameters.
    "hd2s": {},
    # With the domain classifiers: 31.5 million.
    "hd2s_da": {"adaptation": True},
    # With the domain-specific modules: 30.1 million for three domains.
    "hd2s_dsl": {"domains": PUBLISHED_DOMAINS},
    # A quarter of the widths: 1.9 million. Its weights are chosen for the maps as they are: the filter only costs it
    # accuracy.
    "hd2s_tiny": {"width_multiplier": 0.25, "smoothing_sigma": 0.0},
}

# Of the bundled weights, and where neither a preset nor a weight file is named.
DEFAULT_PRESET = "hd2s_tiny"

# The arguments of `HD2S` that decide which variables it has, and those that do not.
SHAPING_ARGUMENTS = (
    "width_multiplier",
    "clip_frames",
    "levels",
    "adaptation",
    "domains",
    "domain_modules",
    "folded",
)
ARGUMENTS = (*SHAPING_ARGUMENTS, "momentum", "dropout", "recompute", "smoothing_sigma", "seed")
