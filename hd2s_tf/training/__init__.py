"""Losses, steps, the loop around them, and what survives it."""
