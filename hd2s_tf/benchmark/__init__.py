"""The subjects of `tools/benchmark.py`, a file each; each measures ratios against a reference in the same run."""
