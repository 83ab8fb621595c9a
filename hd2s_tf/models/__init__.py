"""The network and the weights published for it."""
