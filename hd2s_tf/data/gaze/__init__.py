"""Recorded gaze: tables of fixations or samples, as eye trackers export them, become points and maps of frames."""
