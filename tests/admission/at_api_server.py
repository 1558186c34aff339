"""Asks a real API server every case of policies/tests: at_api_server.py CONTEXT"""

import copy
import json
import os
import pathlib
import subprocess
import sys
import time

import yaml

REPOSITORY = pathlib.Path(__file__).resolve().parent.parent.parent
NAMESPACE = "defender-admission-cases"
# A policy that was created is not asked at once.
PATIENCE = 60


def kubectl(*arguments, body=None):
    command = [os.environ["KUBECTL"], "--context", sys.argv[1], *arguments]
    return subprocess.run(command, input=body, capture_output=True, text=True, timeout=120)


def rendered(policy, parameters):
    """The policy and its binding, denying, bound to our namespace and to objects of the whole cluster."""
    values = {"admission": {"policies": {policy: {"action": "deny", "parameters": parameters}}}}
    command = [os.environ["HELM"], "template", "defender-cases", REPOSITORY / "charts/defender", "--kube-version", "1.30.0"]
    command += ["--set", "fullnameOverride=defender-cases", "--values", "-", "--show-only", "templates/admission/policies.yaml"]
    text = subprocess.run(list(map(str, command)), input=json.dumps(values), capture_output=True, text=True, check=True).stdout
    return list(yaml.safe_load_all(text))


def objects(case):
    """The case's manifest, or its pod as a Pod and in a Deployment and a CronJob, in our namespace."""
    if "object" in case:
        made = [copy.deepcopy(case["object"])]
    else:
        template = {"metadata": {"labels": {"app": "web"}, "annotations": case.get("annotations", {})}, "spec": case["pod"]}
        deployment = {"selector": {"matchLabels": {"app": "web"}}, "template": template}
        job = {"schedule": "0 3 * * *", "jobTemplate": {"spec": {"template": template}}}
        made = [
            {"apiVersion": "v1", "kind": "Pod", **copy.deepcopy(template)},
            {"apiVersion": "apps/v1", "kind": "Deployment", "spec": copy.deepcopy(deployment)},
            {"apiVersion": "batch/v1", "kind": "CronJob", "spec": copy.deepcopy(job)},
        ]
    for one in made:
        one.setdefault("metadata", {}).setdefault("name", "case")
        if one["metadata"].get("namespace") != "default" and one["kind"] not in ("ClusterRole", "ClusterRoleBinding"):
            one["metadata"]["namespace"] = NAMESPACE
    return made


def is_refused_by(policy, one):
    """True where the policy refuses, False where it does not, None where the server refuses the object itself."""
    told = kubectl("create", "--dry-run=server", "--filename", "-", body=json.dumps(one))
    if f"ValidatingAdmissionPolicy 'defender-cases-{policy}'" in told.stderr:
        return True
    return False if told.returncode == 0 or "AlreadyExists" in told.stderr else None


def wait_until_asked(policy, case):
    """Whether the policy refuses what it must within the time."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if any(is_refused_by(policy, one) for one in objects(case)):
            return True
        time.sleep(0.5)
    return False


def type_warnings(policy):
    told = kubectl("get", "validatingadmissionpolicy", f"defender-cases-{policy}", "--output", "jsonpath={.status.typeChecking}")
    return told.stdout


def check(of_policy, parameters, cases, count):
    policy = of_policy["policy"]
    made = rendered(policy, parameters)
    body = "---\n".join(yaml.safe_dump(one) for one in made)
    applied = kubectl("apply", "--filename", "-", body=body)
    if applied.returncode != 0:
        count["failed"] += 1
        print(f"{policy}: the API server does not take it: {applied.stderr}")
        return
    try:
        fails = [case for case, must_fail in cases if must_fail]
        if fails and not wait_until_asked(policy, fails[0]):
            print(f"{policy}: does not refuse `{fails[0]['what']}` within {PATIENCE} s")
        for case, must_fail in cases:
            for one in objects(case):
                answer = is_refused_by(policy, one)
                if answer is None:
                    count["skipped"] += 1
                    continue
                good = answer == must_fail
                count["passed" if good else "failed"] += 1
                if not good:
                    print(f"{policy}: {case['what']} ({one['kind']}): refused is {answer}, must be {must_fail}")
        if warnings := type_warnings(policy):
            print(f"{policy}: the API server's check of types says {warnings}")
    finally:
        kubectl("delete", "--ignore-not-found", "--filename", "-", body=body)


def main():
    count = {"passed": 0, "failed": 0, "skipped": 0}
    kubectl("create", "namespace", NAMESPACE)
    try:
        for path in sorted((REPOSITORY / "policies/tests").glob("*.yaml")):
            for of_policy in yaml.safe_load(path.read_text(encoding="utf-8")):
                if of_policy["policy"] == "unique-service-selector":
                    continue
                by_parameters = {}
                for must_fail, cases in ((True, of_policy["fails"]), (False, of_policy["passes"])):
                    for case in cases:
                        key = json.dumps(case.get("parameters", {}), sort_keys=True)
                        by_parameters.setdefault(key, []).append((case, must_fail))
                for parameters, cases in by_parameters.items():
                    check(of_policy, json.loads(parameters), cases, count)
    finally:
        kubectl("delete", "namespace", NAMESPACE, "--wait=false")
    print(f"{count['passed']} passed, {count['failed']} failed, {count['skipped']} skipped")
    return 1 if count["failed"] or not count["passed"] else 0


if __name__ == "__main__":
    sys.exit(main())
