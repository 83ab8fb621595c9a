"""SavedModels, and what makes them fast."""
