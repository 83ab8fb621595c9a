"""Recorded gaze: turns tables of fixations or samples, as eye trackers export them, into points and maps."""
