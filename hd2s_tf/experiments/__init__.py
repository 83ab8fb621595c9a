"""The paper's experiments: which models are trained, on what they are tested, and what came out."""
