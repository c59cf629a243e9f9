"""What in the cluster is spelled like a name of AWS."""

import json
import re

from lib import cluster as c

SPELLED = re.compile(r"arn:aws:[\w:/.+=,@-]+|[\w.-]+\.amazonaws\.com(?:/[\w-]+)?|\bvpc-[0-9a-f]+")
KINDS = [
    "deployments", "jobs", "configmaps", "serviceaccounts", "networkpolicies", "horizontalpodautoscalers", "services",
    "gateways.networking.istio.io", "virtualservices", "serviceentries", "destinationrules", "targetgroupbindings",
    "externalsecrets", "clustersecretstores", "applications.argoproj.io", "canaries.flagger.app",
]  # fmt: skip


def spelled() -> dict[str, str]:
    """Everything in the cluster that looks like a name from AWS, with the last place that has it."""
    found = {}
    for kind in KINDS:
        for item in c.items(kind):
            item["metadata"].pop("managedFields", None)
            for name in SPELLED.findall(json.dumps(item).replace("eks.amazonaws.com/role-arn", "")):  # a key, not a name
                found[name] = f"{item['kind']} {item['metadata'].get('namespace', '')}/{item['metadata']['name']}"
    return found
