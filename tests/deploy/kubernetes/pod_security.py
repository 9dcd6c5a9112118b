"""The restricted Pod Security Standard of Kubernetes, as far as pods of Linux go."""

from collections.abc import Iterator
from typing import Any

VOLUMES = {
    *("configMap", "csi", "downwardAPI", "emptyDir", "ephemeral"),
    *("persistentVolumeClaim", "projected", "secret"),
}


def breaches(spec: dict[str, Any]) -> list[str]:
    """Return what of a pod's spec the standard forbids; nothing if it may run."""
    pod = spec.get("securityContext", {})
    found = [key for key in ("hostNetwork", "hostPID", "hostIPC") if spec.get(key)]
    found += [
        f"volume {volume['name']}"
        for volume in spec.get("volumes", ())
        if set(volume) - {"name"} - VOLUMES
    ]
    found += [f"pod: {each}" for each in _context(pod)]
    for container in [*spec.get("initContainers", ()), *spec["containers"]]:
        found += [f"{container['name']}: {each}" for each in _container(pod, container)]
    return found


def _container(pod: dict[str, Any], container: dict[str, Any]) -> Iterator[str]:
    own = container.get("securityContext", {})
    both = pod | own
    yield from _context(own)
    if both.get("runAsNonRoot") is not True:
        yield "runAsNonRoot"
    if both.get("seccompProfile", {}).get("type") not in ("RuntimeDefault", "Localhost"):
        yield "seccompProfile"
    if own.get("allowPrivilegeEscalation") is not False:
        yield "allowPrivilegeEscalation"
    capabilities = own.get("capabilities", {})
    if "ALL" not in capabilities.get("drop", ()):
        yield "capabilities.drop"
    if set(capabilities.get("add", ())) - {"NET_BIND_SERVICE"}:
        yield "capabilities.add"
    if any(port.get("hostPort") for port in container.get("ports", ())):
        yield "hostPort"


def _context(context: dict[str, Any]) -> Iterator[str]:
    """Check what pod and container have alike."""
    if context.get("privileged"):
        yield "privileged"
    if context.get("runAsUser") == 0:
        yield "runAsUser"
    yield from (key for key in ("seLinuxOptions", "sysctls", "appArmorProfile") if context.get(key))
    if context.get("procMount", "Default") != "Default":
        yield "procMount"
