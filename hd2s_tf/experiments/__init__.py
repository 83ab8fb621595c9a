"""The paper's experiments: the models to train, the data to test them on, and the results."""
