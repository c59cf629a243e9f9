"""What Argo CD has deployed, as the API server reports it."""

from lib import cluster as c


def deployed() -> str:
    found = c.get("deployment", "birthday-api", c.NAMESPACE)
    return found["spec"]["template"]["spec"]["containers"][0]["image"].partition("@")[2]


def synced() -> str:
    """The commit of the last sync that succeeded."""
    operation = c.application("birthday-api")["status"].get("operationState", {})
    return operation.get("syncResult", {}).get("revision", "") if operation.get("phase") == "Succeeded" else ""


def follows(commit: str, digest: str) -> None:
    """Argo CD syncs exactly this commit, and the Deployment carries the digest."""
    c.refresh("birthday-api")
    c.eventually(f"Argo CD has synced {commit}", lambda: synced() == commit, 240)
    c.eventually(f"the Deployment carries {digest}", lambda: deployed() == digest, 60)


def serving() -> set[str]:
    return {pod["spec"]["containers"][0]["image"].partition("@")[2] for pod in c.serving_pods()}
