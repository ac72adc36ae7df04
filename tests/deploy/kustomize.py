"""The part of kustomize that deploy/kustomize uses, so that it renders without the program.

Resources and other kustomizations, `namespace`, `images`, strategic merge patches by kind and name, and
ConfigMaps made of files, without a suffix in their names. Any other field is an error. Where `kubectl` is
installed, a test compares the result with `kubectl kustomize`.
"""

import copy
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

Resource = dict[str, Any]

FIELDS = {
    *("apiVersion", "kind", "resources", "namespace", "images", "patches"),
    *("configMapGenerator", "generatorOptions"),
}
CLUSTER_WIDE = {"Namespace"}
MERGE_KEYS: Mapping[str, str] = {
    "containers": "name",
    "initContainers": "name",
    "env": "name",
    "volumes": "name",
    "volumeMounts": "mountPath",
}
"""Lists of built-in kinds that a patch merges by a key, as Kubernetes declares. It replaces other lists."""

BUILT_IN = ("v1", "apps/", "policy/", "networking.k8s.io/")


def documents(path: Path) -> list[Resource]:
    return [one for one in parsed(path.read_text(encoding="utf-8")) if one]


def parsed(text: str) -> Iterator[Any]:
    """The documents of a text, by libyaml: the loader in Python takes ten times as long."""
    return yaml.load_all(text, Loader=yaml.CSafeLoader)  # noqa: S506 - a SafeLoader


def render(folder: Path) -> list[Resource]:
    """Every resource of the kustomization in this folder.

    Raises:
        ValueError: it uses a field that is not supported here, or a patch names no resource.
    """
    (kustomization,) = documents(folder / "kustomization.yaml")
    if unknown := kustomization.keys() - FIELDS:
        raise ValueError(f"{folder}: tests/deploy/kustomize.py does not render {sorted(unknown)}")
    resources: list[Resource] = []
    for name in kustomization.get("resources", ()):
        path = folder / name
        resources += render(path) if path.is_dir() else documents(path)
    resources += _config_maps(kustomization, folder)
    for entry in kustomization.get("patches", ()):
        if entry.keys() != {"path"}:
            raise ValueError(f"{folder}: a patch is one path and no more: {entry}")
        for patch in documents(folder / entry["path"]):
            _patch(resources, patch, folder)
    for resource in resources:
        if "namespace" in kustomization and resource["kind"] not in CLUSTER_WIDE:
            resource["metadata"]["namespace"] = kustomization["namespace"]
        for container in containers(resource):
            container["image"] = _image(container["image"], kustomization.get("images", ()))
    return resources


def _config_maps(kustomization: Resource, folder: Path) -> Iterator[Resource]:
    options = kustomization.get("generatorOptions", {})
    for entry in kustomization.get("configMapGenerator", ()):
        if entry.keys() != {"name", "files"} or not options.get("disableNameSuffixHash"):
            raise ValueError(f"{folder}: a ConfigMap is made of files, without a suffix: {entry}")
        yield {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": entry["name"], "labels": dict(options.get("labels", {}))},
            "data": {
                Path(name).name: (folder / name).read_text(encoding="utf-8")
                for name in entry["files"]
            },
        }


def containers(resource: Resource) -> Iterator[dict[str, Any]]:
    pod = resource.get("spec", {}).get("template", {}).get("spec", {})
    if isinstance(pod, dict):
        yield from pod.get("initContainers", ())
        yield from pod.get("containers", ())


def identity(resource: Resource) -> tuple[str, str, str]:
    return resource["apiVersion"], resource["kind"], resource["metadata"]["name"]


def _patch(resources: list[Resource], patch: Resource, folder: Path) -> None:
    for index, resource in enumerate(resources):
        if identity(resource) == identity(patch):
            built_in = resource["apiVersion"].startswith(BUILT_IN)
            resources[index] = merged(resource, patch, built_in=built_in)
            return
    raise ValueError(f"{folder}: no resource for the patch {identity(patch)}")


def merged(base: Any, patch: Any, *, built_in: bool, field: str = "") -> Any:
    """A strategic merge: mappings by key, where null deletes; lists by `MERGE_KEYS`, else the patch's."""
    if isinstance(base, dict) and isinstance(patch, dict):
        result = copy.deepcopy(base)
        for key, value in patch.items():
            if value is None:
                result.pop(key, None)
            else:
                result[key] = merged(result.get(key), value, built_in=built_in, field=key)
        return result
    key = MERGE_KEYS.get(field) if built_in else None
    if isinstance(base, list) and isinstance(patch, list) and key is not None:
        items = copy.deepcopy(base)
        for item in patch:
            found = next((k for k, one in enumerate(items) if one[key] == item[key]), None)
            if found is None:
                items.append(item)
            else:
                items[found] = merged(items[found], item, built_in=built_in)
        return items
    return copy.deepcopy(patch)


def _image(image: str, changes: list[dict[str, str]]) -> str:
    name, colon, tag = image.partition(":")
    for change in changes:
        if change["name"] == name:
            tag = change.get("newTag", tag)
            name = change.get("newName", name)
            return f"{name}:{tag}" if tag else name
    return image
