"""Exports models as SavedModels for TensorFlow Serving."""
