import keras
import numpy as np
import pytest

from hd2s_tf.training.optimizers import Adam

RATE, EPSILON = 0.1, 1e-3
GRADIENTS = [np.array([1e-3, 2.0]), np.array([-4e-3, 1.0]), np.array([2e-3, 0.0])]


def moved(optimizer):
    """A variable's values after a step along each gradient."""
    variable = keras.Variable(np.zeros(2, np.float32))
    optimizer.build([variable])
    values = []
    for gradient in GRADIENTS:
        optimizer.apply([keras.ops.convert_to_tensor(gradient.astype(np.float32))], [variable])
        values.append(variable.numpy().copy())
    return np.array(values)


def test_the_first_step_by_hand():
    """Both corrected moments are the gradient itself: g / (|g| + epsilon) is 1/2 for g = epsilon and nearly 1 for 2."""
    np.testing.assert_allclose(moved(Adam(RATE, epsilon=EPSILON))[0], [-0.05, -0.1 * 2 / 2.001], rtol=1e-5)


def test_keras_places_epsilon_elsewhere():
    """Before the correction by sqrt(1 - 0.999), so that it weighs 31.6 times as much: 0.1 / (1 + 31.6)."""
    first = moved(keras.optimizers.Adam(RATE, epsilon=EPSILON))[0]
    np.testing.assert_allclose(first[0], -0.1 / (1 + 0.001**-0.5), rtol=1e-4)


def test_steps_follow_the_algorithm():
    mean, square, value = np.zeros(2), np.zeros(2), np.zeros(2)
    expected = []
    for number, gradient in enumerate(GRADIENTS, 1):
        mean, square = 0.9 * mean + 0.1 * gradient, 0.999 * square + 0.001 * gradient**2
        corrected = mean / (1 - 0.9**number), square / (1 - 0.999**number)
        value = value - RATE * corrected[0] / (np.sqrt(corrected[1]) + EPSILON)
        expected.append(value)
    np.testing.assert_allclose(moved(Adam(RATE, epsilon=EPSILON)), expected, rtol=1e-4, atol=3e-6)


def test_steps_are_pytorchs():
    torch = pytest.importorskip("torch")
    parameter = torch.nn.Parameter(torch.zeros(2))
    optimizer = torch.optim.Adam([parameter], lr=RATE, eps=EPSILON)
    expected = []
    for gradient in GRADIENTS:
        parameter.grad = torch.tensor(gradient, dtype=torch.float32)
        optimizer.step()
        expected.append(parameter.detach().numpy().copy())
    np.testing.assert_allclose(moved(Adam(RATE, epsilon=EPSILON)), expected, rtol=1e-4, atol=3e-6)
