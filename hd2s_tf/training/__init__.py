"""Training: settings, objectives and losses, the update, the loop, validation and checkpoints."""
