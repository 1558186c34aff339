"""A Kubernetes API server as far as Helm needs one: discovery, and objects that are kept as they were sent.

Helm reads back what it installed (`lookup`, releases, patches), so only against a server can one see what an
upgrade keeps. Nothing here validates or runs anything.
"""

import base64
import http.server
import json
import threading
import urllib.parse

GROUPS = {
    "v1": {
        "Secret": "secrets", "ConfigMap": "configmaps", "Service": "services", "ServiceAccount": "serviceaccounts",
        "Namespace": "namespaces",
    },
    "apps/v1": {"DaemonSet": "daemonsets", "Deployment": "deployments", "StatefulSet": "statefulsets"},
    "networking.k8s.io/v1": {"NetworkPolicy": "networkpolicies"},
    "policy/v1": {"PodDisruptionBudget": "poddisruptionbudgets"},
    "rbac.authorization.k8s.io/v1": {
        "ClusterRole": "clusterroles", "ClusterRoleBinding": "clusterrolebindings",
        "Role": "roles", "RoleBinding": "rolebindings",
    },
}
VERBS = ["create", "delete", "get", "list", "patch", "update"]


class ApiServer:
    """Listens on the loopback address while it is entered; `objects` holds what Helm wrote, by path."""

    def __init__(self):
        self.objects = {}
        handler = type("Handler", (Handler,), {"objects": self.objects})
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    @property
    def address(self):
        return f"http://127.0.0.1:{self.server.server_port}"

    def found(self, kind, name):
        (one,) = [one for one in self.objects.values() if (one["kind"], one["metadata"]["name"]) == (kind, name)]
        return one

    def workloads(self):
        kinds = ("DaemonSet", "Deployment", "StatefulSet")
        return sorted(one["metadata"]["name"] for one in self.objects.values() if one["kind"] in kinds)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    objects = {}

    def do_GET(self):
        path, query = self.split()
        if path == "/version":
            self.answer(200, {"major": "1", "minor": "35", "gitVersion": "v1.35.0"})
        elif path in discovery():
            self.answer(200, discovery()[path])
        elif path in self.objects:
            self.answer(200, self.objects[path])
        elif path.rsplit("/", 1)[-1] == "secrets":
            self.answer(200, {"kind": "SecretList", "apiVersion": "v1", "metadata": {}, "items": self.listed(path, query)})
        else:
            self.refuse(path)

    def do_POST(self):
        path, _ = self.split()
        body = self.body()
        path = f"{path}/{body['metadata']['name']}"
        if path in self.objects:
            self.answer(409, status(409, "AlreadyExists", path))
        else:
            self.answer(201, self.keep(path, body))

    def do_PUT(self):
        path, _ = self.split()
        self.answer(200, self.keep(path, self.body()))

    def do_PATCH(self):
        path, _ = self.split()
        body = self.body()
        if "apply" not in self.headers["Content-Type"]:
            if path not in self.objects:
                return self.refuse(path)
            body = merged(self.objects[path], body)
        return self.answer(200, self.keep(path, body))

    def do_DELETE(self):
        path, _ = self.split()
        self.sent()  # Options, which mean nothing here; unread they would be taken for the next request.
        if self.objects.pop(path, None) is None:
            self.refuse(path)
        else:
            self.answer(200, {"kind": "Status", "apiVersion": "v1", "status": "Success"})

    def keep(self, path, body):
        self.objects[path] = body
        return body

    def listed(self, path, query):
        wanted = dict(pair.split("=", 1) for pair in query.get("labelSelector", [""])[0].split(",") if "=" in pair)
        return [
            one for place, one in self.objects.items()
            if place.rsplit("/", 1)[0] == path and wanted.items() <= one["metadata"].get("labels", {}).items()
        ]

    def split(self):
        parsed = urllib.parse.urlsplit(self.path)
        return parsed.path, urllib.parse.parse_qs(parsed.query)

    def body(self):
        sent = self.sent()
        return secret_of(sent) if sent.startswith(PROTOBUF) else json.loads(sent)

    def sent(self):
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def refuse(self, path):
        self.answer(404, status(404, "NotFound", path))

    def answer(self, code, content):
        encoded = json.dumps(content).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(encoded)))
        self.end_headers()
        self.wfile.write(encoded)

    def log_message(self, *_):
        pass


def discovery():
    groups = [group for group in GROUPS if "/" in group]
    listed = [
        {"name": group.split("/")[0], "versions": [version(group)], "preferredVersion": version(group)} for group in groups
    ]
    pages = {
        "/api": {"kind": "APIVersions", "versions": ["v1"]},
        "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": listed},
    }
    for group, kinds in GROUPS.items():
        place = f"/apis/{group}" if "/" in group else f"/api/{group}"
        found = [resource(kind, plural) for kind, plural in kinds.items()]
        pages[place] = {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group, "resources": found}
    return pages


def version(group):
    return {"groupVersion": group, "version": group.split("/")[1]}


def resource(kind, plural):
    namespaced = not kind.startswith("Cluster") and kind != "Namespace"
    return {"name": plural, "singularName": kind.lower(), "namespaced": namespaced, "kind": kind, "verbs": VERBS}


def status(code, reason, path):
    return {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason, "message": f"{reason}: {path}"}


# Helm's own records of releases come in Kubernetes' protobuf: this, then a message runtime.Unknown.
PROTOBUF = b"k8s\0"


def secret_of(sent):
    """The Secret in a request; the only kind that Helm sends so. Numbers: k8s.io/api/core/v1/generated.proto."""
    raw = dict(fields(sent[len(PROTOBUF):]))[2]
    metadata = dict(fields(dict(fields(raw))[1]))
    entries = lambda message, number: [dict(fields(value)) for key, value in fields(message) if key == number]
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": metadata[1].decode(),
            "namespace": "kube-system",
            "labels": {one[1].decode(): one[2].decode() for one in entries(dict(fields(raw))[1], 11)},
        },
        "data": {one[1].decode(): base64.b64encode(one[2]).decode() for one in entries(raw, 2)},
        "type": dict(fields(raw))[3].decode(),
    }


def fields(message):
    """Number and content of each field; all that occur here are varints or have a length."""
    at = 0
    while at < len(message):
        tag, at = varint(message, at)
        value, at = varint(message, at)
        if tag & 7 == 2:
            value, at = message[at : at + value], at + value
        yield tag >> 3, value


def varint(message, at):
    value, shift = 0, 0
    while True:
        byte = message[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def merged(one, patch):
    """RFC 7396."""
    if not isinstance(patch, dict):
        return patch
    result = dict(one) if isinstance(one, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result
