"""The benchmark's metrics, the protocol that averages them, and the reports."""
