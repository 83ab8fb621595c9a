from hd2s_tf.benchmark import growth


def test_growth_is_drawn(tmp_path):
    results = {f"{count} frames": {"seconds": count / 50, "peak_memory_mb": 800} for count in growth.FRAME_COUNTS}
    results |= {f"{height}x{width}": {"ms_a_window": height / 4} for height, width in growth.SIZES}
    results |= {f"{count} clients": {"frames_a_second": 30.0} for count in growth.CLIENTS}
    growth.draw(str(tmp_path / "growth.png"), results)
    assert (tmp_path / "growth.png").read_bytes().startswith(b"\x89PNG")
