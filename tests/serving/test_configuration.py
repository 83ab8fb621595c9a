"""The configuration files: models.config by its message class, the YAML by what the parts must say to each other."""

import pathlib

import pytest
import yaml

from hd2s_tf.errors import BadInputError
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
