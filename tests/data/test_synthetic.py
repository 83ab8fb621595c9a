import csv

import numpy as np

from hd2s_tf.data import fixations, frame_source, images, synthetic


def test_people_look_at_the_disc(tmp_path):
    synthetic.write_videos(tmp_path, videos=2, frames=3, size=(60, 80))
    assert sorted(path.name for path in (tmp_path / "video").iterdir()) == ["001.AVI", "002.AVI"]
    for number in (1, 2):
        frames = list(frame_source.open_frames(str(tmp_path / "video" / f"{number:03d}.AVI")))
        assert np.shape(frames) == (3, 60, 80, 3)
        for index, frame in enumerate(frames, 1):
            annotation, name = tmp_path / "annotation" / f"{number:04d}", f"{index:04d}.png"
            disc = np.argwhere(frame.min(-1) > 180).mean(0)
            saliency_map = images.read_map(str(annotation / "maps" / name))
            fixated = np.argwhere(fixations.read_fixation_map(str(annotation / "fixation" / name)))
            assert len(fixated) == 1
            peak = np.unravel_index(saliency_map.argmax(), saliency_map.shape)
            np.testing.assert_allclose(peak, disc, atol=2)
            np.testing.assert_allclose(fixated[0], disc, atol=2)


def test_a_seed_gives_the_same_videos(tmp_path):
    def maps(name, seed):
        synthetic.write_videos(tmp_path / name, videos=1, frames=2, size=(48, 64), seed=seed)
        return [path.read_bytes() for path in sorted((tmp_path / name / "annotation").rglob("*.png"))]

    assert maps("a", 0) == maps("b", 0) != maps("c", 1)


def test_everybody_watches_every_video(tmp_path):
    synthetic.write_gaze(tmp_path, videos=2, frames=10, observers=3)
    with (tmp_path / "fixations.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {(row["video"], row["observer"]) for row in rows} == {
        (video, observer) for video in ("clip01", "clip02") for observer in ("01", "02", "03")
    }
    assert all(0 <= float(row["x"]) < 320 and 0 <= float(row["y"]) < 180 for row in rows)
    # 400 ms of video.
    assert all(float(row["onset_ms"]) < 400 and float(row["duration_ms"]) >= 150 for row in rows)
    assert frame_source.open_frames(str(tmp_path / "videos" / "clip02.mp4")).frame_count == 10
