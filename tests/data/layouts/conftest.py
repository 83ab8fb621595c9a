import pytest

from hd2s_tf.data import synthetic


@pytest.fixture(scope="module")
def dhf1k(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dhf1k")
    synthetic.write_videos(folder, videos=3, frames=4, size=(48, 64))
    return folder
