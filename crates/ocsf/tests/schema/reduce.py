"""Makes classes.json: what the schema of OCSF says of the classes that records become and of every object that they
can hold, without descriptions. To be run anew for another version:

    git clone --branch v1.8.0 https://github.com/ocsf/ocsf-schema        # Apache-2.0
    pip install ocsf-lib==0.10.4 && python -m ocsf.compile ocsf-schema > compiled.json
    python reduce.py compiled.json ocsf-schema > classes.json

Constraints are read from the schema's own files: the compiler gives an object those of what it extends.
"""

import json
import pathlib
import sys


def reduce_attribute(attribute):
    reduced = {"type": attribute["type"], "requirement": attribute["requirement"]}
    if attribute["is_array"]:
        reduced["array"] = True
    if attribute["profile"]:
        reduced["profile"] = attribute["profile"]
    if attribute["enum"]:
        reduced["enum"] = {number: choice["caption"] for number, choice in sorted(attribute["enum"].items())}
    if attribute["@deprecated"]:
        reduced["deprecated"] = True
    return reduced


def constraints(name, sources):
    """Those of the object itself, or of the nearest that it extends and that has some."""
    while name in sources:
        if "constraints" in sources[name]:
            return sources[name]["constraints"].get("at_least_one", [])
        name = sources[name].get("extends")
    return []


def reduce_object(name, whole, sources):
    attributes = {key: reduce_attribute(value) for key, value in sorted(whole["attributes"].items())}
    return {"at_least_one": constraints(name, sources), "attributes": attributes}


CLASSES = [
    "file_activity",
    "kernel_extension_activity",
    "kernel_activity",
    "memory_activity",
    "process_activity",
    "compliance_finding",
    "detection_finding",
    "entity_management",
    "network_activity",
    "dns_activity",
    "inventory_info",
    "user_inventory",
    "software_info",
    "cloud_resources_inventory_info",
    "evidence_info",
    "application_lifecycle",
    "api_activity",
    "application_error",
]


def reduce_class(name, whole, sources):
    """The compiler gives an attribute to the profile that has it too; what a class requires itself, it requires always."""
    reduced = reduce_object(name, whole, sources)
    reduced["uid"] = whole["uid"]
    reduced["profiles"] = whole["profiles"]
    while name in sources:
        for key, own in sources[name]["attributes"].items():
            if key in reduced["attributes"] and key != "$include" and own.get("requirement") == "required":
                reduced["attributes"][key].pop("profile", None)
        name = sources[name].get("extends")
    return reduced


def main(compiled, schema):
    compiled = json.loads(pathlib.Path(compiled).read_text())
    files = [json.loads(path.read_text()) for path in pathlib.Path(schema).glob("objects/*.json")]
    sources = {one["name"]: one for one in files}
    files = [json.loads(path.read_text()) for path in pathlib.Path(schema).glob("events/**/*.json")]
    events = {one["name"]: one for one in files if "name" in one}
    objects, waiting = {}, [compiled["classes"][name] for name in CLASSES]
    while waiting:
        for attribute in waiting.pop()["attributes"].values():
            kind = attribute["type"]
            if kind in compiled["objects"] and kind not in objects and kind != "object":
                objects[kind] = reduce_object(kind, compiled["objects"][kind], sources)
                waiting.append(compiled["objects"][kind])
    types = {
        name: {key: one[key] for key in ("type", "regex", "range", "max_len") if one[key]}
        for name, one in sorted(compiled["types"].items())
    }
    reduced = {
        "version": compiled["version"],
        "types": types,
        "classes": {name: reduce_class(name, compiled["classes"][name], events) for name in CLASSES},
        "objects": dict(sorted(objects.items())),
    }
    print(lines(reduced))


def lines(value, depth=0):
    """JSON with one attribute a line, so that another version's differences can be read."""
    if not isinstance(value, dict) or "requirement" in value or not any(isinstance(one, dict) for one in value.values()):
        return json.dumps(value)
    inner = ",\n".join(f"{' ' * (depth + 1)}{json.dumps(key)}: {lines(one, depth + 1)}" for key, one in value.items())
    return f"{{\n{inner}\n{' ' * depth}}}"


if __name__ == "__main__":
    main(*sys.argv[1:])
