import numpy as np
import pytest

from hd2s_tf.models.positive_factors import positive_factors, ridge


@pytest.fixture
def generator():
    return np.random.default_rng(0)


def _matrix(generator, rows, columns, rank):
    """A random one; a sum of all that a row holds is among what it needs."""
    left = generator.normal(size=(rows, rank))
    left[:, 0] = 1.0
    return left @ generator.normal(size=(rank, columns))


def test_projections_of_features_are_positive_and_their_product_is_the_matrix(generator):
    features = np.float32(generator.uniform(0, 1, (4000, 20)))
    matrix = _matrix(generator, 20, 30, 8)
    left, right = positive_factors(matrix, features, 8)
    assert left.shape == (20, 8)
    assert right.shape == (8, 30)
    assert (features @ left > -1e-4).all()
    np.testing.assert_allclose(np.maximum(features @ left, 0) @ right, features @ matrix, atol=1e-3)


def test_pixels_have_a_projection_of_either_sign(generator):
    pixels = np.float32(generator.uniform(-1, 1, (4000, 20)))
    matrix = _matrix(generator, 20, 30, 4)
    left, right = positive_factors(matrix, pixels, 9)
    assert left.shape == (20, 9)
    np.testing.assert_array_equal(left[:, :4], -left[:, 4:8])
    np.testing.assert_allclose(np.maximum(pixels @ left, 0) @ right, pixels @ matrix, atol=1e-3)


def test_of_too_many_directions_those_are_kept_that_occur(generator):
    # Patches lie along two directions; the matrix is of full rank and largest across them.
    basis = np.abs(generator.normal(size=(2, 10)))
    features = np.float32(generator.uniform(0.1, 1, (4000, 2)) @ basis)
    matrix = generator.normal(size=(10, 12))
    left, right = positive_factors(matrix, features, 2)
    answer = features @ matrix
    error = np.square(np.maximum(features @ left, 0) @ right - answer).mean() / answer.var()
    assert error < 1e-3


def test_a_ridge_weighs_less_the_more_rows_there_are():
    square = np.diag([1.0, 3.0])
    np.testing.assert_allclose(ridge(square, 10), 0.04 * np.eye(2))
    np.testing.assert_allclose(ridge(square, 40), 0.01 * np.eye(2))
