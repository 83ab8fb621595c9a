import h5py
import numpy as np
import pytest
import scipy.io
import scipy.sparse

from hd2s_tf.data import fixations, images
from hd2s_tf.errors import BadInputError

FIXATION_MAP = np.zeros((6, 9), bool)
FIXATION_MAP[1, 7] = FIXATION_MAP[5, 0] = FIXATION_MAP[2, 2] = True
VALUES = FIXATION_MAP.astype(np.uint8)
SPARSE = scipy.sparse.csc_matrix(FIXATION_MAP.astype(float))


def _cell(value):
    cell = np.empty((1, 1), object)
    cell[0, 0] = value
    return cell


@pytest.mark.parametrize(
    "variables",
    [{"I": VALUES}, {"I": FIXATION_MAP}, {"I": VALUES * 255.0}, {"I": SPARSE}, {"I": _cell(VALUES)},
     {"I": _cell(SPARSE)},
     {"fixations": VALUES}, {"I": VALUES, "other": np.ones(3)}],
)  # fmt: skip
@pytest.mark.parametrize("compressed", [False, True])
def test_matlab_files(tmp_path, variables, compressed):
    scipy.io.savemat(tmp_path / "a.mat", variables, do_compression=compressed)
    np.testing.assert_array_equal(fixations.read_fixation_map(str(tmp_path / "a.mat")), FIXATION_MAP)


@pytest.mark.parametrize("kind", ["matrix", "logical", "sparse", "cell", "empty sparse"])
@pytest.mark.parametrize("userblock", [0, 512])
def test_matlab_files_of_version_7_3(tmp_path, kind, userblock):
    expected = FIXATION_MAP
    with h5py.File(tmp_path / "a.mat", "w", userblock_size=userblock) as file:
        if kind == "cell":
            stored = file.create_dataset("#refs#/a", data=VALUES.T)
            file.create_dataset("I", (1, 1), h5py.ref_dtype)[0, 0] = stored.ref
        elif kind == "sparse":
            group = file.create_group("I")
            group.attrs["MATLAB_sparse"] = np.uint64(len(FIXATION_MAP))
            for name, values in (("data", SPARSE.data), ("ir", SPARSE.indices), ("jc", SPARSE.indptr)):
                group[name] = values.astype(float if name == "data" else np.uint64)
        elif kind == "empty sparse":
            expected = np.zeros_like(FIXATION_MAP)
            file.create_group("I").attrs["MATLAB_sparse"] = np.uint64(len(FIXATION_MAP))
            file["I"]["jc"] = np.zeros(FIXATION_MAP.shape[1] + 1, np.uint64)
        else:
            file["I"] = VALUES.T if kind == "logical" else VALUES.T.astype(float)
    np.testing.assert_array_equal(fixations.read_fixation_map(str(tmp_path / "a.mat")), expected)


def test_matlab_files_that_hold_no_map(tmp_path):
    path = tmp_path / "a.mat"
    path.write_bytes(b"broken")
    with pytest.raises(BadInputError, match="a.mat: not a MATLAB file"):
        fixations.read_fixation_map(str(path))
    two = np.empty((1, 2), object)
    two[0, 0] = two[0, 1] = VALUES
    for variables, message in (
        ({"a": VALUES, "b": VALUES}, "a.mat: not a MATLAB file with a map 'I'"),
        ({"I": np.zeros((2, 3, 4))}, "a.mat: the map 'I' is no matrix"),
        ({"I": "text"}, "a.mat: the map 'I' is no matrix"),
        ({"I": two}, "a.mat: the map 'I' is no matrix"),
    ):
        scipy.io.savemat(path, variables)
        with pytest.raises(BadInputError, match=message):
            fixations.read_fixation_map(str(path))


def test_images_of_fixations(tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(images.png(VALUES))
    np.testing.assert_array_equal(fixations.read_fixation_map(str(path)), FIXATION_MAP)
    path.write_bytes(images.jpeg(np.repeat(VALUES[..., np.newaxis], 3, -1) * 255, 95))
    with pytest.raises(BadInputError, match="a.png: fixations in a lossy format"):
        fixations.read_fixation_map(str(path))


def test_points_and_their_inverse():
    points = fixations.points(FIXATION_MAP)
    assert points.dtype == np.float32
    np.testing.assert_allclose(points[0], (1.5 / 6, 7.5 / 9))
    np.testing.assert_array_equal(fixations.to_map(points, (6, 9)), FIXATION_MAP)
    assert fixations.to_map(points, (18, 27))[4, 22]
    assert not fixations.to_map(np.float32([[1.0, 0.5], [-0.1, 0.5]]), (6, 9)).any()
