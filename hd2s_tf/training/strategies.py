"""Which devices train, by name."""

import json
import os

import tensorflow as tf

from hd2s_tf.errors import BadInputError

NAMES = ("one", "mirrored", "multiworker")


def create(name: str) -> tf.distribute.Strategy:
    """Creates a strategy of tf.distribute.

    Args:
      name: "one" for one device, "mirrored" for all GPUs of this machine (all logical CPUs if it has none),
        "multiworker" for the machines that the environment variable TF_CONFIG lists.

    Raises:
      BadInputError: no such name, or TF_CONFIG is missing or cannot be read.
    """
    if name == "one":
        return tf.distribute.get_strategy()
    if name == "mirrored":
        devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
        return tf.distribute.MirroredStrategy([device.name for device in devices])
    if name == "multiworker":
        try:
            config = json.loads(os.environ.get("TF_CONFIG", ""))
            task = config["task"]["type"], config["task"]["index"], config["cluster"]["worker"]
        except (ValueError, KeyError, TypeError) as error:
            raise BadInputError(
                "--strategy=multiworker needs TF_CONFIG with 'cluster' (a list 'worker' of host:port) and 'task'"
            ) from error
        if task[0] != "worker" or not 0 <= int(task[1]) < len(task[2]):
            raise BadInputError(f"TF_CONFIG: the task is {task[0]} {task[1]}, the cluster has {len(task[2])} workers")
        return tf.distribute.MultiWorkerMirroredStrategy()
    raise BadInputError(f"no strategy {name!r}: they are {', '.join(NAMES)}")


def total(strategy: tf.distribute.Strategy, number: int) -> int:
    """The sum of a number of each process over all replicas; every process must ask for it at the same time."""

    def on_replica() -> tf.Tensor:
        value = tf.constant(number, tf.int32)
        return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, value)

    if not spans_processes(strategy):
        return number * strategy.num_replicas_in_sync
    return int(strategy.experimental_local_results(strategy.run(on_replica))[0])


def spans_processes(strategy: tf.distribute.Strategy) -> bool:
    """Whether other processes train with this one."""
    return isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Whether this process writes logs and weights: the only one, or the first worker."""
    resolver = strategy.cluster_resolver
    return resolver is None or not resolver.task_type or resolver.task_id == 0
