"""The configuration files: by the messages and schemas of who reads them, and by what they must say to each other."""

import pathlib
import subprocess
import sys

import kubernetes_validate
import pytest
import yaml
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format, wrappers_pb2

from hd2s_tf.errors import BadInputError
from hd2s_tf.export import saved_model
from hd2s_tf.serving import configuration

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "serving"


def _documents(name):
    return {document["kind"]: document for document in yaml.safe_load_all((FOLDER / "kubernetes" / name).read_text())}


def test_the_models_are_read_by_their_message_class():
    configs = configuration.read_models(FOLDER / "models.config")
    assert [(config.name, config.base_path) for config in configs] == [
        ("hd2s", "/models/hd2s"),
        ("hd2s_clips", "/models/hd2s_clips"),
    ]
    assert all(config.model_version_policy.latest.num_versions == 1 for config in configs)


@pytest.mark.parametrize(
    "text, message",
    [
        ("nonsense: 1", "not a model server configuration"),
        ("", "names no models"),
        ('model_config_list { config { name: "a" base_path: "/a" } }', "model_platform"),
        (
            "model_config_list {" + 2 * ' config { name: "a" base_path: "/a" model_platform: "tensorflow" }' + " }",
            "more than once",
        ),
    ],
)
def test_what_is_no_configuration(tmp_path, text, message):
    (tmp_path / "models.config").write_text(text)
    with pytest.raises(BadInputError, match=message):
        configuration.read_models(tmp_path / "models.config")


# Two messages that tensorflow-serving-api does not bring, field by field and number by number as TensorFlow Serving
# defines them (session_bundle_config.proto, monitoring_config.proto).
_FIELD = descriptor_pb2.FieldDescriptorProto
_INT64, _STRING = ".google.protobuf.Int64Value", ".google.protobuf.StringValue"
_MESSAGES = {
    "BatchingParameters": (
        ("max_batch_size", _INT64),
        ("batch_timeout_micros", _INT64),
        ("max_enqueued_batches", _INT64),
        ("num_batch_threads", _INT64),
        ("thread_pool_name", _STRING),
        ("allowed_batch_sizes", [_FIELD.TYPE_INT64]),
        ("pad_variable_length_inputs", _FIELD.TYPE_BOOL),
    ),
    "PrometheusConfig": (("enable", _FIELD.TYPE_BOOL), ("path", _FIELD.TYPE_STRING)),
    "MonitoringConfig": (("prometheus_config", ".tensorflow.serving.PrometheusConfig"),),
}


def _parse(text, name):
    file = descriptor_pb2.FileDescriptorProto(name="configuration.proto", package="tensorflow.serving", syntax="proto3")
    file.dependency.append(wrappers_pb2.DESCRIPTOR.name)
    for message, fields in _MESSAGES.items():
        described = file.message_type.add(name=message)
        for number, (field, kind) in enumerate(fields, 1):
            label = _FIELD.LABEL_REPEATED if isinstance(kind, list) else _FIELD.LABEL_OPTIONAL
            kind = kind[0] if isinstance(kind, list) else kind
            kind = {"type_name": kind} if isinstance(kind, str) else {"type": kind}
            described.field.add(name=field, number=number, label=label, **kind)
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(wrappers_pb2.DESCRIPTOR.serialized_pb)
    pool.Add(file)
    found = pool.FindMessageTypeByName(f"tensorflow.serving.{name}")
    return text_format.Parse(text, message_factory.GetMessageClass(found)())


def test_batching_of_the_server_and_of_a_model():
    server = _parse((FOLDER / "batching.config").read_text(), "BatchingParameters")
    assert server.num_batch_threads.value >= 1
    model = _parse(saved_model.BATCHING_PARAMETERS, "BatchingParameters")
    sizes = list(model.allowed_batch_sizes)
    assert sizes == sorted(sizes)
    assert sizes[-1] == model.max_batch_size.value
    # With per-model parameters the pool of threads is the server's own affair.
    assert {field.name for field, _ in server.ListFields()} == {"num_batch_threads", "thread_pool_name"}
    assert not {field.name for field, _ in model.ListFields()} & {"num_batch_threads", "thread_pool_name"}
    with pytest.raises(text_format.ParseError, match="no field named"):
        _parse("max_batch_sizes { value: 1 }", "BatchingParameters")


def test_prometheus_asks_where_the_server_answers():
    monitoring = _parse((FOLDER / "monitoring.config").read_text(), "MonitoringConfig").prometheus_config
    assert monitoring.enable
    (job,) = yaml.safe_load((FOLDER / "prometheus.yml").read_text())["scrape_configs"]
    assert job["metrics_path"] == monitoring.path
    assert job["static_configs"] == [{"targets": ["serving:8501"]}]
    annotations = _documents("deployment.yaml")["Deployment"]["spec"]["template"]["metadata"]["annotations"]
    assert annotations["prometheus.io/path"] == monitoring.path


def _compose_check(path):
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_compose_fits_its_schema(tmp_path):
    result = _compose_check(FOLDER / "docker-compose.yml")
    assert result.returncode == 0, result.stdout
    text = (FOLDER / "docker-compose.yml").read_text()
    (tmp_path / "docker-compose.yml").write_text(text.replace("mem_limit:", "memory_limit:"))
    assert "memory_limit" in _compose_check(tmp_path / "docker-compose.yml").stdout


@pytest.mark.parametrize("name", ["deployment.yaml", "availability.yaml"])
@pytest.mark.parametrize("version", ["1.25", "1.37"])
def test_kubernetes_parts_fit_their_schemas(name, version):
    for document in _documents(name).values():
        kubernetes_validate.validate(document, version, strict=True)
        with pytest.raises(kubernetes_validate.ValidationError, match="replica"):
            kubernetes_validate.validate({**document, "replica": 1}, version, strict=True)


def test_compose_offers_cpu_and_gpu_with_limits_and_health_checks():
    services = yaml.safe_load((FOLDER / "docker-compose.yml").read_text())["services"]
    for name, image in (("serving-cpu", "2.17.1"), ("serving-gpu", "2.17.1-gpu")):
        service = services[name]
        assert service["image"] == f"tensorflow/serving:{image}"
        assert service["mem_limit"] == "8g"
        assert "/v1/models/hd2s" in service["healthcheck"]["test"][-1]
        for flag in service["command"]:
            if "=/config/" in flag:
                assert (FOLDER / flag.split("=/config/")[1]).exists()


def test_kubernetes_parts_name_each_other():
    deployment = _documents("deployment.yaml")["Deployment"]
    service = _documents("deployment.yaml")["Service"]
    others = _documents("availability.yaml")
    template = deployment["spec"]["template"]
    labels = template["metadata"]["labels"]
    assert deployment["spec"]["selector"]["matchLabels"] == labels
    assert service["spec"]["selector"] == labels
    assert others["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"] == labels
    scaled = others["HorizontalPodAutoscaler"]["spec"]
    assert scaled["scaleTargetRef"]["name"] == deployment["metadata"]["name"]
    assert scaled["minReplicas"] > others["PodDisruptionBudget"]["spec"]["minAvailable"]
    (container,) = template["spec"]["containers"]
    ports = {port["name"] for port in container["ports"]}
    assert container["readinessProbe"]["httpGet"] == {"path": "/v1/models/hd2s", "port": "rest"}
    assert container["livenessProbe"]["tcpSocket"]["port"] in ports
    assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports
    volumes = {volume["name"] for volume in template["spec"]["volumes"]}
    assert {mount["name"] for mount in container["volumeMounts"]} == volumes
