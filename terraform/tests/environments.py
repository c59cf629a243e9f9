"""The old versions from which production is upgraded, and what a plan would change in it."""

OLD = {
    "kubernetes_version": "1.34", "release_version": "1.34.7-20260505", "kube_proxy": "v1.34.0-eksbuild.2",
    "engine_version": "18.0", "instance_class": "db.t4g.large", "master_password_version": 1,
}  # fmt: skip
DATABASE = "-target=module.environment.module.database"

STATEFUL = {
    "aws_db_instance", "aws_eks_cluster", "aws_kms_key", "aws_secretsmanager_secret", "aws_vpc", "aws_subnet", "aws_lb",
    "aws_eks_node_group", "aws_cloudwatch_log_group", "aws_db_parameter_group", "aws_eks_addon",
}  # fmt: skip


def changes(plan):
    """(address, type, actions) of each change in a plan."""
    return [
        (change["address"], change["type"], change["change"]["actions"])
        for change in plan["resource_changes"]
        if change["change"]["actions"] not in (["no-op"], ["read"])
    ]


def replaced(done):
    return [address for address, kind, actions in done if kind in STATEFUL and "delete" in actions]
