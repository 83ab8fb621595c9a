import keras
import numpy as np
import pytest
import tensorflow as tf

from hd2s_tf.models.hd2s import HD2S
from hd2s_tf.models.presets import CLIP_FRAMES, FRAME_SIZE
from hd2s_tf.training.objectives import Adaptation, Supervised
from hd2s_tf.training.updater import Rule, Updater

ONE = tf.distribute.get_strategy


class Line(keras.Model):
    """A stand-in for the network, with two weights."""

    domains = ()

    def __init__(self):
        super().__init__()
        self.weight = self.add_weight(shape=(2,), initializer="zeros", name="weight")
        self.weight.assign([3.0, 4.0])


class Scaled:
    """A loss whose gradient is the batch's factor for both weights."""

    def __call__(self, model, batch, progress):
        del progress
        return batch["factor"] * tf.reduce_sum(model.weight.value), {}

    def domains(self, batch):
        return tf.zeros(len(batch["factor"]), tf.int32)


def batch(*factors):
    return {"factor": tf.constant(factors)}


def updater(model, optimizer, **options):
    return Updater(model, optimizer, Scaled(), ONE(), Rule(updates=10, **options))


def test_weight_decay_is_added_to_the_gradient():
    model = Line()
    trained = updater(model, keras.optimizers.SGD(0.5), weight_decay=0.1)
    trained.accumulate(batch(2.0), 0)
    trained.apply()
    # w - 0.5 (2 + 0.1 w)
    np.testing.assert_allclose(model.weight.numpy(), [3 - 0.5 * 2.3, 4 - 0.5 * 2.4], rtol=1e-6)


def test_weight_decay_passes_through_adam():
    """It is coupled: with no other gradient Adam makes full steps of it; decoupled decay would move weights by 1e-9."""
    model = Line()
    trained = updater(model, keras.optimizers.Adam(0.5), weight_decay=1e-3)
    trained.accumulate(batch(0.0), 0)
    trained.apply()
    np.testing.assert_allclose(model.weight.numpy(), [2.5, 3.5], rtol=1e-3)


def test_accumulated_batches_are_averaged_and_forgotten():
    model = Line()
    trained = updater(model, keras.optimizers.SGD(1.0), accumulation=2)
    for factors in ((1.0, 2.0), (3.0, 6.0)):
        trained.accumulate(batch(*factors), 0)
    assert float(trained.apply()) == pytest.approx(3.0 * 2**0.5)
    np.testing.assert_allclose(model.weight.numpy(), [0.0, 1.0], rtol=1e-6)
    trained.accumulate(batch(0.0), 1)
    trained.apply()
    np.testing.assert_allclose(model.weight.numpy(), [0.0, 1.0], rtol=1e-6)


def test_clipping_shortens_the_whole_gradient():
    model = Line()
    trained = updater(model, keras.optimizers.SGD(1.0), gradient_clip=1.0)
    trained.accumulate(batch(10.0), 0)
    assert float(trained.apply()) == pytest.approx(10.0 * 2**0.5)
    np.testing.assert_allclose(model.weight.numpy(), np.array([3.0, 4.0]) - 0.5**0.5, rtol=1e-6)


def test_weight_averages_by_hand():
    model = Line()
    trained = updater(model, keras.optimizers.SGD(1.0), average_momentum=0.25)
    expected = np.array([3.0, 4.0])
    for number in range(3):
        trained.accumulate(batch(1.0), number)
        trained.apply()
        momentum = min(0.25, (2 + number) / (11 + number))
        expected = momentum * expected + (1 - momentum) * (np.array([3.0, 4.0]) - number - 1)
    with trained.averaged():
        np.testing.assert_allclose(model.weight.numpy(), expected, rtol=1e-6)
    np.testing.assert_allclose(model.weight.numpy(), [0.0, 1.0], atol=1e-6)


@pytest.fixture(scope="module")
def specific():
    """A narrow domain-specific model that has been trained on two of its domains, and batches of one."""
    keras.utils.set_random_seed(0)
    model = HD2S.from_preset(
        "hd2s_dsl", weights=None, width_multiplier=0.0625, levels=(1, 2), clip_frames=8, domains=tuple("abcde")
    )
    optimizer = keras.optimizers.Adam(1e-2)
    trained = Updater(model, optimizer, Supervised(), ONE(), Rule(updates=4, weight_decay=1e-2))

    def of_domain(domain):
        generator = np.random.default_rng(domain)
        return {
            "clip": tf.constant(generator.uniform(-1, 1, (2, 8, 32, 64, 3)), tf.float32),
            "domain": tf.fill(2, domain),
            "saliency_map": tf.constant(generator.random((2, 32, 64)), tf.float32),
            "fixation_map": tf.constant(generator.random((2, 32, 64)) > 0.9),
        }

    for domain in (0, 1):
        trained.accumulate(of_domain(domain), domain)
        trained.apply()
    return model, optimizer, trained, of_domain


def test_an_update_leaves_the_other_domain_as_it_is(specific):
    """Neither decay nor momentum of earlier updates may move what a batch does not concern."""
    model, optimizer, trained, of_domain = specific
    kept = [*model.variables, *optimizer.variables]
    # Scales, offsets, running statistics, priors, fusion and smoothing; two slots of the optimizer for what is trained.
    per_domain = [variable for variable in kept if variable.shape[:1] == (len(model.domains),)]
    assert len(per_domain) > 30
    before = {variable.path: variable.numpy() for variable in kept}
    trained.accumulate(of_domain(1), 2)
    trained.apply()
    moved = 0
    for variable in per_domain:
        others = [0, 2, 3, 4]
        np.testing.assert_array_equal(variable.numpy()[others], before[variable.path][others], err_msg=variable.path)
        moved += not np.array_equal(variable.numpy()[1], before[variable.path][1])
    assert moved > 0.8 * len(per_domain)
    kernel = model.encoder.trainable_variables[0]
    assert not np.array_equal(kernel.numpy(), before[kernel.path])


def test_the_step_never_leaves_the_device():
    """The graph has no Python, files or text; what it logs are tensors, fetched once an update."""
    model = HD2S(width_multiplier=0.0625, levels=(1,))
    model.create_variables()
    trained = Updater(model, keras.optimizers.Adam(1e-3), Supervised(), ONE(), Rule(updates=10))
    specification = {
        "clip": tf.TensorSpec((2, 16, 32, 64, 3)),
        "domain": tf.TensorSpec((2,), tf.int32),
        "saliency_map": tf.TensorSpec((2, 32, 64)),
    }
    accumulate = trained._accumulate.get_concrete_function(specification, tf.TensorSpec(()))
    for function in (accumulate, trained._apply.get_concrete_function()):
        kinds = {operation.type for operation in function.graph.get_operations()}
        kinds |= {node.op for called in function.graph.as_graph_def().library.function for node in called.node_def}
        assert "ResourceApplyAdam" in kinds or "AssignAddVariableOp" in kinds
        away = ("PyFunc", "Print", "Summary", "ReadFile", "WriteFile", "Queue", "String", "Send", "Recv")
        assert not [kind for kind in kinds if any(word in kind for word in away)]


def test_xla_makes_the_same_update():
    updates = []
    for jit_compile in (False, True):
        model = Line()
        trained = updater(model, keras.optimizers.SGD(0.5), jit_compile=jit_compile)
        trained.accumulate(batch(2.0), 0)
        trained.apply()
        updates.append(model.weight.numpy())
    np.testing.assert_allclose(updates[0], updates[1])


@pytest.mark.parametrize(
    ("settings", "objective"),
    [
        ({}, Supervised(terms={"nss": 1.0})),
        ({"recompute": True}, Supervised()),
        ({"adaptation": True}, Adaptation()),
    ],
)
def test_xla_knows_every_operation_of_the_network_and_its_gradient(settings, objective):
    """It is lowered, not run: XLA's convolutions take minutes on processors."""
    model = HD2S(width_multiplier=0.0625, levels=(1,), **settings)
    model.create_variables()
    trained = Updater(model, keras.optimizers.SGD(0.5), objective, ONE(), Rule(updates=10, jit_compile=True))
    labelled = {
        "clip": tf.zeros((2, CLIP_FRAMES, *FRAME_SIZE, 3)),
        "domain": tf.zeros(2, tf.int32),
        "saliency_map": tf.zeros((2, *FRAME_SIZE)),
        "fixation_map": tf.zeros((2, *FRAME_SIZE), tf.bool),
    }
    batch = {"source": labelled, "target": {"clip": labelled["clip"]}} if model.classifiers else labelled
    lowered = trained._gradients.experimental_get_compiler_ir(batch, tf.constant(0.5))(stage="hlo")
    assert lowered.count("convolution(") > 3 * len(model.levels)
