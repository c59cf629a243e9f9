"""Plays kubelet on the engine: starts containers with the settings of a pod template, and keeps their mounted files up to date."""

import base64
import itertools
import os
import shutil
import subprocess
import threading
from pathlib import Path

from lib import cluster as c
from common.engine import docker

# What says where a pod runs, or who it is to the API server, is nothing to an engine. Everything else has to be known here:
# a setting that would be passed over is an error.
POD = {
    "automountServiceAccountToken", "dnsPolicy", "enableServiceLinks", "priorityClassName", "restartPolicy", "schedulerName",
    "serviceAccount", "serviceAccountName", "topologySpreadConstraints",
    "containers", "securityContext", "terminationGracePeriodSeconds", "volumes",
}  # fmt: skip
CONTAINER = {
    "imagePullPolicy", "name", "ports", "terminationMessagePath", "terminationMessagePolicy", "livenessProbe", "startupProbe",
    "readinessProbe", "args", "env", "image", "resources", "securityContext", "volumeMounts",
}  # fmt: skip
SECURITY = {"runAsNonRoot", "runAsUser", "runAsGroup", "fsGroup", "seccompProfile"}
CONTAINED = {"allowPrivilegeEscalation", "readOnlyRootFilesystem", "capabilities"}


def known(found: dict, names: set[str], where: str) -> None:
    assert not found.keys() - names, f"{where} has settings that are not translated: {found.keys() - names}"


class Kubelet:
    def __init__(self, network: str, folder: Path, registry: str):
        self.network, self.folder, self.registry = network, folder, registry
        self.volumes: list[Projected] = []
        self.counter, self.failed = itertools.count(1), []
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._refresh, daemon=True)
        self.thread.start()

    def start(self, workload: dict) -> "Container":
        """One pod of a Deployment or a Job."""
        pod = workload["spec"]["template"]["spec"]
        known(pod, POD, "the pod")
        known(pod["securityContext"], SECURITY, "the pod's securityContext")
        [container] = pod["containers"]
        known(container, CONTAINER, "the container")
        name = f"{self.network}-{container['name']}-{next(self.counter)}"
        docker(*self.command(pod, container, name), limit=120)
        return Container(name, pod, self.network)

    def command(self, pod: dict, container: dict, name: str) -> list[str]:
        who, may = pod["securityContext"], container["securityContext"]
        known(may, CONTAINED, "the container's securityContext")
        assert who["runAsNonRoot"] and who["runAsUser"] > 0
        assert who["seccompProfile"] == {"type": "RuntimeDefault"}, "the engine's own profile is its default"
        options = [f"--name={name}", f"--label={self.network}", f"--network={self.network}"]
        options += [f"--user={who['runAsUser']}:{who['runAsGroup']}", f"--group-add={who['fsGroup']}"]
        options += ["--read-only"] if may["readOnlyRootFilesystem"] else []
        options += [] if may["allowPrivilegeEscalation"] else ["--security-opt=no-new-privileges"]
        known(may["capabilities"], {"drop"}, "capabilities")
        options += [f"--cap-drop={capability}" for capability in may["capabilities"]["drop"]]
        options += self.resources(container["resources"])
        options += [part for e in container.get("env", []) for part in ("--env", f"{e['name']}={e['value']}")]
        options += [part for mount in container.get("volumeMounts", []) for part in ("--volume", self.mount(pod, mount, name))]
        # the registry of AWS is played by one on this machine; the digest is the same
        image = self.registry + "/" + container["image"].partition("/")[2]
        return ["run", "--detach", *options, image, *container.get("args", [])]

    def resources(self, resources: dict) -> list[str]:
        requests, limits = resources["requests"], resources["limits"]
        known(limits, {"memory", "ephemeral-storage"}, "limits")
        memory, cpu = limits["memory"].replace("Mi", "m"), int(requests["cpu"].removesuffix("m"))
        return [f"--memory={memory}", f"--memory-swap={memory}", f"--cpu-shares={cpu * 1024 // 1000}"]

    def mount(self, pod: dict, mount: dict, name: str) -> str:
        [volume] = [v for v in pod["volumes"] if v["name"] == mount["name"]]
        known(volume, {"name", "projected"}, "the volume")
        folder = self.folder / name / mount["name"]
        self.volumes.append(Projected(folder, volume["projected"], pod["securityContext"]["fsGroup"]))
        self.volumes[-1].write()
        return f"{folder}:{mount['mountPath']}" + (":ro" if mount.get("readOnly") else "")

    def _refresh(self) -> None:
        """Within a second; kubelet's period is a minute."""
        while not self.over.wait(1):
            for volume in self.volumes:
                try:
                    volume.write()
                except (RuntimeError, subprocess.TimeoutExpired) as error:
                    self.failed.append(str(error))

    def close(self) -> None:
        self.over.set()
        self.thread.join(30)


class Projected:
    """A projected volume, written as kubelet does it: what is visible are links through `..data`, which is replaced in one step."""

    def __init__(self, folder: Path, volume: dict, group: int):
        self.folder, self.sources, self.mode, self.group = folder, volume["sources"], volume["defaultMode"], group
        self.written, self.times = None, 0

    def content(self) -> dict[str, bytes]:
        files = {}
        for source in self.sources:
            [(kind, what)] = source.items()
            found = c.get(kind.lower(), what["name"], c.NAMESPACE)
            if found is None:
                raise RuntimeError(f"there is no {kind} {what['name']}")
            for item in what["items"]:
                value = found["data"][item["key"]]
                files[item["path"]] = value.encode() if kind == "configMap" else base64.b64decode(value)
        return files

    def write(self) -> None:
        files = self.content()
        if files == self.written:
            return
        self.times += 1
        data = self.folder / f"..{self.times}"
        for path, content in files.items():
            (data / path).parent.mkdir(parents=True, exist_ok=True)
            (data / path).write_bytes(content)
            os.chown(data / path, 0, self.group)
            (data / path).chmod(self.mode)
        (self.folder / "..new").symlink_to(data.name)
        (self.folder / "..new").rename(self.folder / "..data")
        for name in {path.split("/")[0] for path in files}:
            if not (self.folder / name).is_symlink():
                (self.folder / name).symlink_to(f"..data/{name}")
        if self.written:
            shutil.rmtree(self.folder / f"..{self.times - 1}")
        self.written = files


class Container:
    def __init__(self, name: str, pod: dict, network: str):
        self.name, self.pod, self.network = name, pod, network

    @property
    def address(self) -> str:
        return docker("inspect", "--format", f'{{{{(index .NetworkSettings.Networks "{self.network}").IPAddress}}}}', self.name)

    @property
    def log(self) -> str:
        return docker("logs", self.name)

    def ends(self, seconds: float = 120) -> int:
        return int(docker("wait", self.name, limit=seconds))

    def terminate(self) -> int:
        """SIGTERM, and SIGKILL after the pod's own grace period."""
        docker("stop", f"--time={self.pod['terminationGracePeriodSeconds']}", self.name)
        return self.ends()
