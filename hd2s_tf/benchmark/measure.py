"""Measuring: medians, separate processes, and the machine's own matrix-product rate to compare with."""

import concurrent.futures
import contextlib
import dataclasses
import multiprocessing
import os
import resource
import statistics
import time
from collections.abc import Callable

import tensorflow as tf

from hd2s_tf import processes

# Large enough to reach the device's full rate.
_MATRIX_SIDES = {"CPU": 2048, "GPU": 8192}
# Calls in a row; the median counts.
_PRODUCTS = 3
# Seconds between the turns of processes, in which the threads of the last one stop waiting for work.
_PAUSE_SECONDS = 0.3
# Small enough where bfloat16 is computed in software.
_FEATURES = (1, 4, 32, 48, 64)


def seconds(function: Callable[[], object], repeats: int = 7, warmups: int = 2) -> float:
    """Median wall time of a call in seconds, after calls that are not counted."""
    for _ in range(warmups):
        function()
    taken = []
    for _ in range(repeats):
        started = time.perf_counter()
        function()
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)


@dataclasses.dataclass(frozen=True)
class Speed:
    """How long a call takes beside the machine's own matrix products.

    Attributes:
      seconds: median wall time of a call.
      matrix_product_gflops: median rate of a product of two square matrices, in GFLOP/s.
      share: the median of the call's rate as a share of that of the product that followed it.
    """

    seconds: float
    matrix_product_gflops: float
    share: float


def speed(
    function: Callable[[], object], gflop: float, dtype: str = "float32", repeats: int = 7, warmups: int = 2
) -> Speed:
    """Calls a function of `gflop` 10^9 operations and matrix products of `dtype` in turn, since machines drift."""
    side = _MATRIX_SIDES["GPU" if tf.config.list_physical_devices("GPU") else "CPU"]
    matrix = tf.cast(tf.random.normal((side, side), seed=0), dtype)
    product = tf.function(lambda: tf.reduce_sum(tf.matmul(matrix, matrix)))
    taken, rates = [], []
    for repeat in range(-warmups, repeats):
        call = seconds(function, 1, 0)
        rate = 2 * side**3 / seconds(lambda: product().numpy(), _PRODUCTS, 0) / 1e9
        if repeat >= 0:
            taken.append(call)
            rates.append(rate)
    shares = [gflop / call / rate for call, rate in zip(taken, rates, strict=True)]
    return Speed(*(statistics.median(values) for values in (taken, rates, shares)))


def bfloat16_pays() -> bool:
    """Whether this machine has instructions for bfloat16: a convolution is no slower than in float32.

    It times a convolution, since matrix products may be fast where convolutions are computed number by number.
    """
    return _convolution_seconds("bfloat16") < _convolution_seconds("float32")


def _convolution_seconds(dtype: str) -> float:
    features = tf.cast(tf.random.normal(_FEATURES, seed=0), dtype)
    kernel = tf.cast(tf.random.normal((1, 3, 3, _FEATURES[-1], _FEATURES[-1]), seed=1), dtype)
    convolution = tf.function(lambda: tf.reduce_sum(tf.nn.conv3d(features, kernel, [1] * 5, "SAME")))
    return seconds(lambda: convolution().numpy())


def gflop(function: tf.types.experimental.ConcreteFunction) -> float:
    """Counts the operations (10^9) of a graph's convolutions and matrix products; its shapes must be known."""
    total = 0
    for operation in function.graph.get_operations():
        if operation.type in ("Conv2D", "Conv3D"):
            kernel = operation.inputs[1].shape
            total += 2 * operation.outputs[0].shape.num_elements() * kernel[:-1].num_elements()
        elif operation.type == "DepthwiseConv2dNative":
            kernel = operation.inputs[1].shape
            total += 2 * operation.outputs[0].shape.num_elements() * kernel[0] * kernel[1]
        elif operation.type in ("MatMul", "BatchMatMulV2"):
            total += 2 * operation.outputs[0].shape.num_elements() * operation.inputs[0].shape[-1]
    return total / 1e9


def alone(function: Callable[..., dict], *arguments: object) -> dict:
    """Calls a function in a new process, so that nothing that ran before affects it.

    Returns:
      The function's dict with peak_memory_mb of the process and, with a GPU, peak_gpu_memory_mb of the first GPU.
    """
    with _process() as process:
        return process.submit(_with_memory, function, arguments).result()


def in_turn(functions: dict[str, tuple], repeats: int = 7, warmups: int = 2) -> dict[str, list[float]]:
    """Calls functions in turn, each in a process of its own, since machines drift and runtimes disturb each other.

    Args:
      functions: for each name, what creates the function, and its arguments.
      repeats: number of turns that count.
      warmups: number of turns before them that do not.

    Returns:
      For each name the wall time of a call in seconds, one value a turn.
    """
    taken: dict[str, list[float]] = {name: [] for name in functions}
    with contextlib.ExitStack() as stack:
        started = {name: stack.enter_context(_process()) for name in functions}
        for name, (create, *arguments) in functions.items():
            started[name].submit(_prepare, create, arguments).result()
        for repeat in range(-warmups, repeats):
            for name, process in started.items():
                call = process.submit(_prepared_seconds).result()
                time.sleep(_PAUSE_SECONDS)
                if repeat >= 0:
                    taken[name].append(call)
    return taken


def _process() -> concurrent.futures.ProcessPoolExecutor:
    return concurrent.futures.ProcessPoolExecutor(
        1, multiprocessing.get_context("spawn"), initializer=processes.end_with_parent
    )


# The function that this process was asked to call.
_prepared: dict[str, Callable[[], object]] = {}


def _prepare(create: Callable[..., Callable[[], object]], arguments: list) -> None:
    _prepared["function"] = create(*arguments)


def _prepared_seconds() -> float:
    # The call before the timed one wakes the threads.
    return seconds(_prepared["function"], repeats=1, warmups=1)


def _with_memory(function: Callable[..., dict], arguments: tuple) -> dict:
    result = function(*arguments)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    result = {**result, "peak_memory_mb": round(peak)}
    if tf.config.list_physical_devices("GPU"):
        result["peak_gpu_memory_mb"] = round(tf.config.experimental.get_memory_info("GPU:0")["peak"] / 2**20)
    return result


def machine() -> dict:
    """Describes the machine that measures."""
    name = "unknown"
    if os.path.exists("/proc/cpuinfo"):  # noqa: PTH110
        with open("/proc/cpuinfo") as file:
            names = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
        name = names[0] if names else name
    return {
        "processor": name,
        "cores": os.cpu_count(),
        "gpus": len(tf.config.list_physical_devices("GPU")),
        "tensorflow": tf.__version__,
    }
