"""The deployment files: read by the messages and schemas of their readers, and held to what they must say together."""

import copy
import http.server
import json
import pathlib
import re
import shlex
import subprocess
import sys
import threading

import grpc._cython.cygrpc
import kubernetes_validate
import pytest
import yaml
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format, wrappers_pb2
from tensorflow_serving.config import model_server_config_pb2

from hd2s_tf.errors import BadInputError
from hd2s_tf.export import saved_model
from hd2s_tf.serving import client, configuration
from hd2s_tf.serving.connection import Connection

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDER = ROOT / "serving"
MANIFESTS = ("deployment.yaml", "models.yaml", "network.yaml", "availability.yaml")
# TensorFlow Serving's own: loads it tries again after the first, seconds between them.
LOAD_RETRIES, LOAD_RETRY_SECONDS = 5, 60


def _documents(name):
    return {document["kind"]: document for document in yaml.safe_load_all((FOLDER / "kubernetes" / name).read_text())}


def _pod():
    return _documents("deployment.yaml")["Deployment"]["spec"]["template"]["spec"]


def _compose():
    return yaml.safe_load((FOLDER / "docker-compose.yml").read_text())


def _flags(arguments):
    return dict(re.fullmatch(r"--(\w+)=(.*)", argument).groups() for argument in arguments)


def _commands():
    """The flags of every TensorFlow Serving that the files start."""
    services = _compose()["services"]
    return {
        "compose, cpu": _flags(services["serving-cpu"]["command"]),
        "compose, gpu": _flags(services["serving-gpu"]["command"]),
        "kubernetes": _flags(_pod()["containers"][0]["args"]),
    }


def _channel(flags):
    arguments = dict(pair.split("=") for pair in flags["grpc_channel_arguments"].split(","))
    return {name: int(value) for name, value in arguments.items()}


def test_the_models_are_read_by_their_message_class():
    names = {}
    for file in ("models.config", "models_with_clips.config"):
        configs = configuration.read_models(FOLDER / file)
        names[file] = [config.name for config in configs]
        assert [config.base_path for config in configs] == [f"/models/{config.name}" for config in configs]
        assert all(config.model_version_policy.latest.num_versions == 1 for config in configs)
    # One missing base path stops polling of all models, so what not everybody has is not in the default.
    assert names == {"models.config": ["hd2s"], "models_with_clips.config": ["hd2s", "hd2s_clips"]}


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


# The messages that tensorflow-serving-api does not bring, field by field and number by number as TensorFlow Serving
# defines them (session_bundle_config.proto, monitoring_config.proto, ssl_config.proto).
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
    "SSLConfig": (
        ("server_key", _FIELD.TYPE_STRING),
        ("server_cert", _FIELD.TYPE_STRING),
        ("custom_ca", _FIELD.TYPE_STRING),
        ("client_verify", _FIELD.TYPE_BOOL),
    ),
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
    assert _compose()["services"]["serving-cpu"]["networks"]["default"]["aliases"] == ["serving"]
    annotations = _documents("deployment.yaml")["Deployment"]["spec"]["template"]["metadata"]["annotations"]
    assert annotations["prometheus.io/path"] == monitoring.path
    assert annotations["prometheus.io/port"] == "8501"


def _compose_check(path):
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_compose_fits_its_schema(tmp_path):
    result = _compose_check(FOLDER / "docker-compose.yml")
    assert result.returncode == 0, result.stdout
    text = (FOLDER / "docker-compose.yml").read_text()
    (tmp_path / "docker-compose.yml").write_text(text.replace("mem_limit:", "memory_limit:"))
    assert "memory_limit" in _compose_check(tmp_path / "docker-compose.yml").stdout


@pytest.mark.parametrize("name", MANIFESTS)
@pytest.mark.parametrize("version", ["1.25", "1.37"])
def test_kubernetes_parts_fit_their_schemas(name, version):
    for document in _documents(name).values():
        kubernetes_validate.validate(document, version, strict=True)
        with pytest.raises(kubernetes_validate.ValidationError, match="replica"):
            kubernetes_validate.validate({**document, "replica": 1}, version, strict=True)


def test_compose_offers_cpu_and_gpu_of_one_release():
    services = _compose()["services"]
    images = {name: services[name]["image"] for name in ("serving-cpu", "serving-gpu")}
    assert images == {"serving-cpu": "tensorflow/serving:2.17.1", "serving-gpu": "tensorflow/serving:2.17.1-gpu"}
    (container,) = _pod()["containers"]
    assert container["image"] == images["serving-gpu"]
    # The image's own entry point serves one model and ignores a configuration file.
    assert services["serving-cpu"]["entrypoint"] == container["command"] == ["tensorflow_model_server"]


def test_every_file_that_a_flag_names_is_there():
    for flags in _commands().values():
        named = [value for value in flags.values() if value.startswith("/config/")]
        assert len(named) == 3
        for value in named:
            name = value.removeprefix("/config/").replace("${HD2S_MODELS:-models.config}", "models.config")
            assert (FOLDER / name).is_file(), value


def test_all_commands_say_the_same():
    compose, gpu, kubernetes = _commands().values()
    assert compose == gpu
    # Compose takes these two from the environment.
    assert compose.pop("model_config_file") == "/config/${HD2S_MODELS:-models.config}"
    assert compose.pop("ssl_config_file") == "${HD2S_SSL_CONFIG:-}"
    assert kubernetes.pop("model_config_file") == "/config/models.config"
    assert compose == kubernetes


@pytest.mark.parametrize("place", ["compose, cpu", "kubernetes"])
def test_the_server_admits_no_more_than_it_can_do(place):
    flags = _commands()[place]
    assert flags["enable_profiler"] == "false"
    assert 8 <= int(flags["grpc_max_threads"]) <= 64
    channel = _channel(flags)
    # A chunk of 47 frames of 128x192, should PNG compress none of them.
    assert channel["grpc.max_receive_message_length"] > 47 * 128 * 192 * 3
    assert channel["grpc.max_receive_message_length"] <= 1 << 26
    # Requests in flight have the client's deadline to finish.
    assert channel["grpc.max_connection_age_grace_ms"] >= 1000 * Connection.deadline
    assert channel["grpc.keepalive_permit_without_calls"] == 1
    # The client may not ping more often than the server admits.
    pings = dict(client._OPTIONS)["grpc.keepalive_time_ms"]
    assert pings >= channel["grpc.http2.min_ping_interval_without_data_ms"]


def test_channel_arguments_are_grpcs_own():
    library = pathlib.Path(grpc._cython.cygrpc.__file__).read_bytes()
    for name in _channel(_commands()["kubernetes"]):
        assert name.encode() + b"\0" in library, name
    assert b"grpc.max_connection_ages_ms\0" not in library


def test_a_pod_drains_before_it_ends():
    flags, pod = _channel(_commands()["kubernetes"]), _pod()
    (container,) = pod["containers"]
    program, seconds = container["lifecycle"]["preStop"]["exec"]["command"]
    assert program == "sleep"
    # gRPC varies the age by a tenth.
    drained = (1.1 * flags["grpc.max_connection_age_ms"] + flags["grpc.max_connection_age_grace_ms"]) / 1000
    assert drained < int(seconds) < pod["terminationGracePeriodSeconds"]
    # The server has no handler for SIGTERM, which process 1 ignores then.
    assert pod["shareProcessNamespace"]
    assert all(_compose()["services"][name]["init"] for name in ("serving-cpu", "serving-gpu"))


def test_compose_listens_on_loopback_alone():
    for service in _compose()["services"].values():
        assert service["ports"]
        assert all(port.startswith("127.0.0.1:") for port in service["ports"])


def test_containers_have_no_rights():
    for service in _compose()["services"].values():
        assert service["read_only"]
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert service["mem_limit"]
    assert not _compose()["services"]["serving-cpu"]["user"].startswith("0")
    pod = _pod()
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["securityContext"]["runAsUser"] > 0
    (container,) = pod["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container["resources"]["limits"]["memory"]


def test_volumes_of_models_are_read_only():
    assert {"../models:/models:ro", ".:/config:ro"} == set(_compose()["services"]["serving-cpu"]["volumes"])
    (container,) = _pod()["containers"]
    assert {mount["name"] for mount in container["volumeMounts"] if mount.get("readOnly")} == {"models", "config"}
    claim = _documents("models.yaml")["PersistentVolumeClaim"]
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]
    volumes = {volume["name"]: volume for volume in _pod()["volumes"]}
    assert volumes["models"]["persistentVolumeClaim"] == {"claimName": claim["metadata"]["name"], "readOnly": True}


def test_only_clients_and_the_monitoring_reach_the_pods():
    policy = _documents("network.yaml")["NetworkPolicy"]["spec"]
    labels = _documents("deployment.yaml")["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert policy["podSelector"]["matchLabels"] == labels
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert "egress" not in policy
    clients, monitoring = policy["ingress"]
    assert clients["from"] == [{"podSelector": {"matchLabels": {"hd2s-client": "true"}}}]
    assert clients["ports"] == [{"port": "grpc"}]
    assert monitoring["from"] == [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}]
    assert monitoring["ports"] == [{"port": "rest"}]


def test_kubernetes_parts_name_each_other():
    deployment = _documents("deployment.yaml")["Deployment"]
    service = _documents("deployment.yaml")["Service"]
    others = _documents("availability.yaml")
    template = deployment["spec"]["template"]
    labels = template["metadata"]["labels"]
    selectors = [
        deployment["spec"]["selector"]["matchLabels"],
        service["spec"]["selector"],
        others["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"],
        *(spread["labelSelector"]["matchLabels"] for spread in template["spec"]["topologySpreadConstraints"]),
    ]
    assert all(selector == labels for selector in selectors)
    assert others["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]["name"] == deployment["metadata"]["name"]
    (container,) = template["spec"]["containers"]
    ports = {port["name"] for port in container["ports"]}
    assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports
    volumes = {volume["name"] for volume in template["spec"]["volumes"]}
    assert {mount["name"] for mount in container["volumeMounts"]} == volumes


def test_the_autoscaler_alone_counts_the_replicas():
    assert "replicas" not in _documents("deployment.yaml")["Deployment"]["spec"]
    others = _documents("availability.yaml")
    scaled = others["HorizontalPodAutoscaler"]["spec"]
    assert 2 <= scaled["minReplicas"] < scaled["maxReplicas"]
    # A GPU is not measured by its processor.
    assert [metric["type"] for metric in scaled["metrics"]] == ["Pods"]
    assert others["PodDisruptionBudget"]["spec"]["maxUnavailable"] == 1
    keys = {spread["topologyKey"] for spread in _pod()["topologySpreadConstraints"]}
    assert keys == {"kubernetes.io/hostname", "topology.kubernetes.io/zone"}


def test_starting_may_take_as_long_as_loading_is_tried():
    # Six loads of a minute each and the pauses between them.
    longest = LOAD_RETRIES * LOAD_RETRY_SECONDS + 60 * (1 + LOAD_RETRIES)
    (container,) = _pod()["containers"]
    probe = container["startupProbe"]
    assert probe["periodSeconds"] * probe["failureThreshold"] > longest
    deployment = _documents("deployment.yaml")["Deployment"]["spec"]
    assert deployment["progressDeadlineSeconds"] > probe["periodSeconds"] * probe["failureThreshold"]
    check = _compose()["services"]["serving-cpu"]["healthcheck"]
    assert int(check["start_period"].removesuffix("s")) > longest


def test_liveness_asks_the_health_service_and_is_patient():
    assert _commands()["kubernetes"]["enable_grpc_healthcheck_service"] == "true"
    (container,) = _pod()["containers"]
    probe = container["livenessProbe"]
    assert probe["grpc"] == {"port": 8500}
    assert probe["timeoutSeconds"] >= 10
    assert probe["periodSeconds"] * probe["failureThreshold"] >= 120
    assert container["readinessProbe"]["timeoutSeconds"] >= 10


def test_readiness_asks_for_every_served_model():
    served = [config.name for config in configuration.read_models(FOLDER / "models.config")]
    (container,) = _pod()["containers"]
    assert container["readinessProbe"]["exec"]["command"] == ["bash", "/config/ready.sh", *served]
    service = _compose()["services"]["serving-cpu"]
    assert service["healthcheck"]["test"] == ["CMD-SHELL", "exec bash /config/ready.sh $$HD2S_READY"]
    assert service["environment"]["HD2S_READY"] == f"${{HD2S_READY:-{' '.join(served)}}}"


@pytest.fixture
def status_pages():
    """A server of TensorFlow Serving's status pages: the port, and the states of each model's versions."""
    states = {}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            versions = states.get(self.path.removeprefix("/v1/models/"))
            self.send_response(404 if versions is None else 200)
            self.end_headers()
            status = {"error_code": "OK", "error_message": ""}
            pages = [{"version": str(i), "state": state, "status": status} for i, state in enumerate(versions or [], 1)]
            self.wfile.write(json.dumps({"model_version_status": pages}, indent=1).encode())

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port, states
        server.shutdown()


@pytest.mark.parametrize(
    "states, asked, is_ready",
    [
        ({"hd2s": ["AVAILABLE"]}, "hd2s", True),
        ({"hd2s": ["END", "AVAILABLE"]}, "hd2s", True),
        ({"hd2s": ["END"]}, "hd2s", False),
        ({"hd2s": ["LOADING"]}, "hd2s", False),
        ({"hd2s": ["UNAVAILABLE"]}, "hd2s", False),
        ({}, "hd2s", False),
        ({"hd2s": ["AVAILABLE"], "hd2s_clips": ["AVAILABLE"]}, "hd2s hd2s_clips", True),
        ({"hd2s": ["AVAILABLE"], "hd2s_clips": ["LOADING"]}, "hd2s hd2s_clips", False),
        ({"hd2s": ["AVAILABLE"]}, "", False),
    ],
)
def test_ready_is_who_has_an_available_version_of_each(status_pages, states, asked, is_ready):
    port, served = status_pages
    served.update(states)
    command = ["bash", str(FOLDER / "ready.sh"), *asked.split()]
    result = subprocess.run(command, env={"REST_PORT": str(port), "PATH": "/usr/bin:/bin"}, check=False, timeout=20)
    assert (result.returncode == 0) == is_ready


def test_nobody_is_ready_behind_a_closed_port():
    command = ["bash", str(FOLDER / "ready.sh"), "hd2s"]
    result = subprocess.run(command, env={"REST_PORT": "1", "PATH": "/usr/bin:/bin"}, capture_output=True, check=False)
    assert result.returncode != 0


def _patched(document, patch):
    """`document` with the additions and replacements of a JSON patch."""
    document = copy.deepcopy(document)
    for operation in patch:
        *way, last = operation["path"].split("/")[1:]
        target = document
        for part in way:
            target = target[int(part) if isinstance(target, list) else part]
        if last == "-":
            assert operation["op"] == "add"
            target.append(operation["value"])
        else:
            assert operation["op"] == "replace"
            assert last in target
            target[last] = operation["value"]
    return document


def test_the_tls_patch_fits_the_deployment():
    deployment = _documents("deployment.yaml")["Deployment"]
    patch = yaml.safe_load((FOLDER / "kubernetes" / "tls.yaml").read_text())
    patched = _patched(deployment, patch)
    kubernetes_validate.validate(patched, "1.37", strict=True)
    pod = patched["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    file = _flags(container["args"])["ssl_config_file"]
    assert file.startswith({mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}["tls"])
    assert {volume["name"] for volume in pod["volumes"]} == {mount["name"] for mount in container["volumeMounts"]}
    # Kubernetes' gRPC probes speak no TLS.
    assert set(container["livenessProbe"]) & {"grpc", "tcpSocket"} == {"tcpSocket"}


def test_the_documented_command_makes_a_tls_configuration(tmp_path):
    (command,) = re.findall(r"^(python -c .*) > serving/ssl.config$", (ROOT / "docs" / "serving.md").read_text(), re.M)
    program, *arguments = shlex.split(command)
    assert program == "python"
    files = arguments[2:]
    assert files == ["server.key", "server.crt", "clients_ca.crt"]
    for name in files:
        (tmp_path / name).write_text(f'-----BEGIN "{name}"-----\nab+/=\n-----END-----\n')
    result = subprocess.run([sys.executable, *arguments], cwd=tmp_path, capture_output=True, text=True, check=True)
    config = _parse(result.stdout, "SSLConfig")
    assert [config.server_key, config.server_cert, config.custom_ca] == [
        (tmp_path / name).read_text() for name in files
    ]
    assert config.client_verify


def test_labels_are_refused_at_the_start():
    labelled = model_server_config_pb2.ModelConfig(name="m", version_labels={"stable": 1})
    configuration.refuse_labels([model_server_config_pb2.ModelConfig(name="m")])
    with pytest.raises(BadInputError, match="Request to assign label to version 1 of model m, which is not currently"):
        configuration.refuse_labels([labelled])
