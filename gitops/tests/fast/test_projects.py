"""Each project allows what its Applications need, and nothing else."""

import pytest

CLUSTER_SCOPED = {
    "APIService", "ClusterRole", "ClusterRoleBinding", "ClusterSecretStore", "CustomResourceDefinition", "IngressClass", "IngressClassParams",
    "MutatingWebhookConfiguration", "Namespace", "PriorityClass", "StorageClass", "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding", "ValidatingWebhookConfiguration",
}  # fmt: skip


@pytest.fixture(scope="session")
def projects(objects) -> dict[str, dict]:
    return {o["metadata"]["name"]: o["spec"] for o in objects["projects"]}


def listed(entries: list[dict], obj: dict) -> bool:
    group = obj["apiVersion"].rpartition("/")[0]
    return any(e["group"] in ("*", group) and e["kind"] in ("*", obj["kind"]) for e in entries)


def allowed(project: dict, obj: dict, namespace: str) -> bool:
    if obj["kind"] in CLUSTER_SCOPED:
        return listed(project["clusterResourceWhitelist"], obj)
    where = obj["metadata"].get("namespace", namespace)
    if where not in {d["namespace"] for d in project["destinations"]}:
        return False
    if listed(project.get("namespaceResourceBlacklist", []), obj):
        return False
    return listed(project.get("namespaceResourceWhitelist", [{"group": "*", "kind": "*"}]), obj)


def test_every_source_and_object_is_allowed(applications, objects, third_party, projects):
    for app in applications:
        project = projects[app["spec"]["project"]]
        assert app["spec"]["source"]["repoURL"] in project["sourceRepos"], app["metadata"]["name"]
        for obj in {**objects, **third_party}.get(app["metadata"]["name"], []):
            named = f"{app['metadata']['name']}: {obj['kind']} {obj['metadata']['name']}"
            assert allowed(project, obj, app["spec"]["destination"]["namespace"]), named


def test_no_source_is_allowed_that_nothing_uses(applications, projects):
    used = {a["spec"]["source"]["repoURL"] for a in applications}
    assert set(projects["platform"]["sourceRepos"]) == used


@pytest.mark.parametrize(
    ("kind", "api", "namespace"),
    [
        ("Secret", "v1", "birthday-api"),
        ("RoleBinding", "rbac.authorization.k8s.io/v1", "birthday-api"),
        ("NetworkPolicy", "networking.k8s.io/v1", "birthday-api"),
        ("AuthorizationPolicy", "security.istio.io/v1", "birthday-api"),
        ("Deployment", "apps/v1", "kube-system"),
        ("ClusterRole", "rbac.authorization.k8s.io/v1", ""),
        ("Application", "argoproj.io/v1alpha1", "argocd"),
    ],
)
def test_the_service_cannot_change(projects, kind, api, namespace):
    obj = {"apiVersion": api, "kind": kind, "metadata": {"name": "x", "namespace": namespace}}
    assert not allowed(projects["birthday-api"], obj, "birthday-api")


def test_no_project_allows_every_kind_of_the_cluster_or_every_source(projects):
    for spec in projects.values():
        assert not any(e["kind"] == "*" or e["group"] == "*" for e in spec["clusterResourceWhitelist"])
        assert not any("*" in s for s in spec["sourceRepos"])
        assert not any(d["namespace"] == "*" for d in spec["destinations"])
