"""The contract of a served model, its client, and a stand-in for TensorFlow Serving."""
