"""What `tools/benchmark.py` measures: a file for each subject, each a ratio against a reference in the same run."""
