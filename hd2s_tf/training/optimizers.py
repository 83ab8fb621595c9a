"""Adam as the published training has it."""

import keras
import tensorflow as tf


class Adam(keras.optimizers.Adam):
    """Adam (Kingma and Ba, 2015, algorithm 1) with epsilon behind the bias correction, as in PyTorch.

    A step is rate * m' / (sqrt(v') + epsilon), where m' and v' are the corrected moments. Keras adds epsilon to the
    root of the uncorrected v ("epsilon hat"), which makes it 1 / sqrt(1 - beta2^t) times as large: 32 times in the
    first step, 1.6 times in the 500th. That counts where weight decay is all that moves a weight, since its gradients
    are about as small as epsilon.
    """

    def update_step(self, gradient: tf.Tensor, variable: keras.Variable, learning_rate: tf.Tensor) -> None:
        """Moves a variable down its gradient; called by Keras."""
        epsilon = self.epsilon
        step = tf.cast(self.iterations.value + 1, tf.float32)
        self.epsilon = epsilon * tf.sqrt(1.0 - self.beta_2**step)
        try:
            super().update_step(gradient, variable, learning_rate)
        finally:
            self.epsilon = epsilon
