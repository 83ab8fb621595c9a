"""HD2S: where people look in a video, predicted with TensorFlow and Keras."""
