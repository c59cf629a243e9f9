"""Behaviour of EKS, AWS and the controllers that no other test covers: rules of docs/real-kubernetes.md that can be checked statically."""

import re

import yaml

from lib import render, schemas

SEEN = yaml.safe_load((render.GITOPS / "tests" / "charts.yaml").read_text())


def found(node, key: str):
    """Every value of a key, at any depth."""
    if isinstance(node, dict):
        if key in node:
            yield node[key]
        node = list(node.values())
    for inner in node if isinstance(node, list) else ():
        yield from found(inner, key)


def values(applications, name: str) -> dict:
    return next(a["spec"]["source"]["helm"]["valuesObject"] for a in applications if a["metadata"]["name"] == name)


def proxy(applications) -> str:
    """The image that istiod injects."""
    image = values(applications, "istiod")["global"]
    return f"{image['hub']}/proxyv2:{image['tag']}-{image['variant']}"


def test_every_chart_was_seen_at_its_address_and_is_supported(applications):
    listed = {(c["repository"], c["chart"], c["version"]) for c in SEEN["charts"]}
    for source in (a["spec"]["source"] for a in applications if "chart" in a["spec"]["source"]):
        assert (source["repoURL"], source["chart"], source["targetRevision"]) in listed


def test_every_image_is_in_a_registry_of_the_list(applications, objects, bridge):
    ours = bridge["image_repository"]
    images = {i for them in objects.values() for i in found([o for o in them if o["kind"] != "ConfigMap"], "image") if isinstance(i, str)}
    assert images
    for image in images | {proxy(applications)}:
        assert image.startswith((ours, *SEEN["registries"])), image


def test_every_claim_names_a_storage_class_that_is_there_before_it(applications, objects):
    """EKS has no default class since 1.30, and a claim without one is never bound."""
    classes = {o["metadata"]["name"] for o in objects["policies"] if o["kind"] == "StorageClass"}
    waves = {a["metadata"]["name"]: render.wave(a) for a in applications}
    claims = [(a, c) for a in applications for c in found(a["spec"], "volumeClaimTemplate")]
    assert claims
    for app, claim in claims:
        assert claim["spec"]["storageClassName"] in classes and waves["policies"] < render.wave(app)


def test_a_sync_that_hangs_ends(applications):
    params = values(applications, "argo-cd")["configs"]["params"]
    assert 300 < int(params["controller.sync.timeout.seconds"]) <= 1800, "above the deadline of the migration"
    read = (schemas.module("github.com/argoproj/argo-cd/v3@v3.5.7") / "manifests/install.yaml").read_text()
    assert all(f"key: {name}\n" in read for name in params), "Argo CD reads no such setting"


def test_a_commit_is_applied_within_six_minutes(applications):
    """Argo CD polls Git at this interval, and caches the answer for as long again."""
    settings = values(applications, "argo-cd")["configs"]["cm"]
    cache = (schemas.module("github.com/argoproj/argo-cd/v3@v3.5.7") / "reposerver/cache/cache.go").read_text()
    assert '"revision-cache-expiration", env.ParseDurationFromEnv("ARGOCD_RECONCILIATION_TIMEOUT"' in cache
    every, jitter = (int(settings[f"timeout.reconciliation{part}"].removesuffix("s")) for part in ("", ".jitter"))
    assert 2 * every + jitter <= 360


def test_the_service_evicts_nothing_that_it_depends_on(applications, objects, service):
    ranks = {o["metadata"]["name"]: o["value"] for o in objects["policies"] if o["kind"] == "PriorityClass"}
    own = ranks[service["Deployment", "birthday-api"]["spec"]["template"]["spec"]["priorityClassName"]]
    for name in (values(applications, "istio-ingress")["priorityClassName"], values(applications, "istiod")["global"]["priorityClassName"]):
        assert ranks[name] > own


def test_a_gateway_is_ready_when_the_load_balancer_says_so(platform):
    assert platform["Namespace", "/istio-ingress"]["metadata"]["labels"]["elbv2.k8s.aws/pod-readiness-gate-inject"] == "enabled"


def test_nodes_with_sidecars_can_be_removed(applications):
    assert values(applications, "cluster-autoscaler")["extraArgs"]["skip-nodes-with-local-storage"] is False


def test_a_cluster_that_grows_is_not_reported_as_overcommitted(applications):
    """With kube-prometheus-stack 88.5.3 the first fires for both environments at rest, and the second for production."""
    disabled = values(applications, "prometheus")["defaultRules"]["disabled"]
    assert disabled == dict.fromkeys(("KubeCPUOvercommit", "KubeCPUQuotaOvercommit", "KubeMemoryOvercommit", "KubeMemoryQuotaOvercommit"), True)


def test_grafana_gets_the_memory_that_its_documentation_asks_for(applications):
    limit = values(applications, "prometheus")["grafana"]["resources"]["limits"]["memory"]
    assert int(limit.removesuffix("Mi")) >= 512


def test_production_mails_alerts_and_keeps_silences_when_a_zone_is_lost():
    chart = values(render.applications("production", render.bridge("production")), "prometheus")
    for spec in (chart["prometheus"]["prometheusSpec"], chart["alertmanager"]["alertmanagerSpec"]):
        assert spec["replicas"] >= 2 and spec["podAntiAffinityTopologyKey"] == "topology.kubernetes.io/zone"


def test_what_reads_the_metadata_of_its_instance_can_reach_it(applications, platform):
    assert values(applications, "cloudwatch")["hostNetwork"] is True
    [volume] = platform["Deployment", "amazon-cloudwatch/otel-collector"]["spec"]["template"]["spec"]["volumes"]
    config = yaml.safe_load(platform["ConfigMap", f"amazon-cloudwatch/{volume['configMap']['name']}"]["data"]["config.yaml"])
    assert config["exporters"]["awsxray"]["local_mode"] is True


def test_a_configuration_that_is_read_only_at_the_start_restarts_its_pods(objects):
    """The service reads its files again, so those keep their names."""
    own = [o for name, them in objects.items() if name != "birthday-api" for o in them if o["kind"] != "ConfigMap"]
    names = {c["name"] for c in found(own, "configMap")}
    assert names and all(re.fullmatch(r".+-[a-z0-9]{10}", name) for name in names), names


def test_deleting_an_application_deletes_no_namespace(objects):
    namespaces = [o for them in objects.values() for o in them if o["kind"] == "Namespace"]
    assert namespaces
    for namespace in namespaces:
        assert namespace["metadata"]["annotations"]["argocd.argoproj.io/sync-options"] == "Prune=false,Delete=false"


def test_a_login_survives_its_external_secret(objects):
    """A Secret with an owner is deleted with it; a Secret of the policy Merge was never made by external-secrets."""
    targets = [o["spec"]["target"] for o in objects["secrets"] if o["kind"] == "ExternalSecret"]
    assert targets == [{"creationPolicy": "Orphan", "deletionPolicy": "Retain"}] * 2


def test_requests_reach_the_gateway_from_the_load_balancers_subnets_alone(platform, bridge):
    rules = [r for (kind, name), o in platform.items() if kind == "NetworkPolicy" and name.startswith("istio-ingress/") for r in o["spec"].get("ingress", [])]
    sources = [s for r in rules if any(p["port"] == 8080 for p in r["ports"]) for s in r["from"]]
    assert sources == [{"ipBlock": {"cidr": cidr}} for cidr in bridge["public_subnet_cidrs"].split(",")]


def test_what_argo_cd_applies_too_is_installed_as_its_field_manager():
    """A field of two managers stays when one of them drops it."""
    source = (schemas.module("github.com/argoproj/argo-cd/v3@v3.5.7") / "common/common.go").read_text()
    manager = re.search(r'ArgoCDSSAManager = "(.+)"', source)[1]
    install = (render.GITOPS / "bootstrap/install").read_text()
    lines = re.findall(r"^ *kubectl apply .*(?:manifests\.yaml|/projects)\"$", install, re.M)
    assert len(lines) == 2 and all(f"--server-side --force-conflicts --field-manager={manager} " in line for line in lines), lines


def test_argo_cd_keeps_the_health_of_objects_where_the_runbooks_read_it(applications):
    assert values(applications, "argo-cd")["configs"]["params"]["controller.resource.health.persist"] is True


def test_what_argo_cd_reports_once_is_not_reported_as_resolved(applications):
    """It sends no end, and Alertmanager ends such an alert after five minutes."""
    config = values(applications, "prometheus")["alertmanager"]["config"]
    sent = yaml.safe_load(values(applications, "argo-cd")["notifications"]["templates"]["template.application"])["alertmanager"]["labels"]["alertname"]
    [receiver] = [r["receiver"] for r in config["route"]["routes"] if r["matchers"] == [f'alertname = "{sent}"']]
    resolved = {r["name"]: [to["send_resolved"] for to in r.get("sns_configs", [])] for r in config["receivers"]}
    assert resolved[receiver] == [False] and resolved[config["route"]["receiver"]] == [True]
    assert len(topics := list(found(config, "topic_arn"))) == 2 and len(set(topics)) == 1
    used = {re.search(r"subscribe\.([\w-]+)\.alertmanager", key)[1] for a in applications for key in a["metadata"]["annotations"] if ".alertmanager" in key}
    assert used == {"on-sync-failed"}, "a state has an end: it is a rule of Prometheus"


def test_sns_takes_the_subject_of_every_alert(applications, objects, bridge, tmp_path):
    """Alertmanager sends it as long as it is. Helm renders it here: it has the same templates, and calls `toUpper` `upper`."""
    receivers = values(applications, "prometheus")["alertmanager"]["config"]["receivers"]
    [subject] = {to["subject"] for receiver in receivers for to in receiver.get("sns_configs", [])}
    rules = [rule for o in objects["observability"] if o["kind"] == "PrometheusRule" for group in o["spec"]["groups"] for rule in group["rules"]]
    named = [(rule["alert"], rule["labels"]["severity"]) for rule in rules if "alert" in rule]
    # the longest name of kube-prometheus-stack, and one that is too long with any subject
    named += [("PrometheusErrorSendingAlertsToSomeAlertmanagers", "critical"), ("A" * 99, "")]
    alerts = [{"Status": "resolved", "GroupLabels": {"SortedPairs": {"Values": [alert, "birthday-api"]}},
               "CommonLabels": {"severity": severity, "cluster": bridge["cluster_name"]}} for alert, severity in named]  # fmt: skip
    (tmp_path / "templates").mkdir()
    (tmp_path / "Chart.yaml").write_text("{apiVersion: v2, name: subjects, version: 1.0.0}")
    (tmp_path / "templates/all.yaml").write_text("{{ range .Values.alerts }}---\nsubject: |-\n  " + subject.replace("toUpper", "upper") + "\n{{ end }}")
    sent = [document["subject"] for document in render.helm("subjects", tmp_path, "none", {"alerts": alerts})]
    assert all(re.fullmatch("[!-~][ -~]{,98}", text) for text in sent), "SNS refuses others, and 100 characters"
    assert [text.split()[:4] for text in sent[:-1]] == [["[RESOLVED]", alert, "birthday-api", severity] for alert, severity in named[:-1]]


def test_people_log_in_where_an_issuer_is_named():
    login = {"issuer": "https://login.example.com", "clientId": "argocd", "admins": "platform"}
    apps = render.applications("production", render.bridge("production"), {"login": login})
    configs = values(apps, "argo-cd")["configs"]
    oidc = yaml.safe_load(configs["cm"]["oidc.config"])
    assert (oidc["issuer"], oidc["clientID"], oidc["enablePKCEAuthentication"]) == ("https://login.example.com", "argocd", True)
    assert configs["rbac"] == {"policy.default": "role:readonly", "policy.csv": "g, platform, role:admin"}


def test_links_to_argo_cd_lead_to_the_port_forward(applications):
    chart = values(applications, "argo-cd")
    assert chart["notifications"]["argocdUrl"] == chart["configs"]["cm"]["url"] == "http://localhost:8080"
    assert "domain" not in chart["global"], "nothing answers there"


def test_a_private_repository_is_read_with_the_key_of_a_github_app(objects):
    apps = render.applications("production", render.bridge("production"), {"github": {"appId": "1", "installationId": "2"}})
    found = render.objects(next(a for a in apps if a["metadata"]["name"] == "secrets"), None)
    secrets = {o["metadata"]["name"]: o["spec"] for o in found if o["metadata"].get("namespace") == "argocd"}
    assert secrets.keys() == {"argocd-repo-birthday-api", "argocd-notifications-secret"}
    for spec in secrets.values():
        assert spec["target"]["creationPolicy"] == "Merge"
        assert spec["data"][0]["remoteRef"]["key"].endswith("/github-app")
    store = next(o for o in found if o["kind"] == "ClusterSecretStore")
    assert store["spec"]["conditions"] == [{"namespaces": ["birthday-api", "argocd"]}]
    assert not [o for o in objects["secrets"] if o["metadata"].get("namespace") == "argocd"], "without a GitHub App, Argo CD needs no secret"


def test_versions_and_mesh_settings_are_an_environments_own_and_both_have_the_same_keys():
    files = {e: yaml.safe_load((render.GITOPS / "environments" / e / "versions.yaml").read_text()) for e in ("staging", "production")}
    for keys in (lambda f: f.keys(), lambda f: f["versions"].keys()):
        assert keys(files["staging"]) == keys(files["production"])
    changed = {"versions": dict.fromkeys(files["staging"]["versions"], "9.9.9"), "meshConfig": {"accessLogEncoding": "TEXT"}}
    apps = {a["metadata"]["name"]: a["spec"]["source"] for a in render.applications("staging", render.bridge("staging"), changed)}
    assert {source["targetRevision"] for source in apps.values() if "chart" in source} == {"9.9.9"}
    assert apps["istiod"]["helm"]["valuesObject"]["meshConfig"]["accessLogEncoding"] == "TEXT"
