"""A stand-in for TensorFlow Serving, for trying and testing."""
