"""A Kubernetes API server as far as collector-misc asks one: pods and nodes, listed in pages and watched; of all else there is none.

The collector's own tests have a more faithful one in Rust; this one is there to run the image against.
"""

import base64
import http.server
import json
import re
import threading
import urllib.parse

VERSION = "100"
PATHS = {"/api/v1/pods": ("PodList", "Pod"), "/api/v1/nodes": ("NodeList", "Node")}
NOTHING = ("List", "Nothing")
# All objects of a kind, in the core group or another.
COLLECTION = re.compile(r"/api/v1/[a-z]+|/apis/[a-z0-9.]+/v[a-z0-9]+/[a-z]+")


class KubernetesApi:
    """Serves `pods` pods and one node at an address of this machine until it is stopped."""

    def __init__(self, address, pods):
        objects = {"/api/v1/pods": [pod(number) for number in range(pods)], "/api/v1/nodes": [node()]}
        stopped = threading.Event()
        handler = type("Handler", (Handler,), {"objects": objects, "stopped": stopped})
        self.stopped = stopped
        self.server = http.server.ThreadingHTTPServer((address, 0), handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def kubeconfig(self, authority):
        """As a cluster gives it, with the authority to trust: an image from scratch has no other."""
        host, port = self.server.server_address
        trusted = base64.b64encode(authority).decode()
        return json.dumps({
            "apiVersion": "v1", "kind": "Config", "current-context": "test",
            "clusters": [{"name": "test", "cluster": {"server": f"http://{host}:{port}", "certificate-authority-data": trusted}}],
            "users": [{"name": "test", "user": {}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
        })

    def stop(self):
        self.stopped.set()
        self.server.shutdown()
        self.server.server_close()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    objects = {}
    stopped = threading.Event()

    def do_GET(self):
        parts = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(parts.query))
        if not COLLECTION.fullmatch(parts.path):
            self.answer(404, status(404, "NotFound", f"there is no {parts.path}"))
        elif query.get("watch") in ("1", "true"):
            self.watch(PATHS.get(parts.path, NOTHING)[1])
        else:
            self.list(parts.path, int(query.get("limit", 0)), int(query.get("continue", 0)))

    def list(self, path, limit, begin):
        items = self.objects.get(path, [])
        end = min(begin + limit, len(items)) if limit else len(items)
        metadata = {"resourceVersion": VERSION, **({"continue": str(end)} if end < len(items) else {})}
        self.answer(200, {"kind": PATHS.get(path, NOTHING)[0], "apiVersion": "v1", "metadata": metadata, "items": items[begin:end]})

    def watch(self, kind):
        """Nothing changes: a bookmark now and then, as a real server sends."""
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        bookmark = {"type": "BOOKMARK", "object": {"kind": kind, "apiVersion": "v1", "metadata": {"resourceVersion": VERSION}}}
        line = json.dumps(bookmark).encode() + b"\n"
        try:
            while not self.stopped.is_set():
                self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
                self.wfile.flush()
                self.stopped.wait(5)
        except OSError:
            pass
        self.close_connection = True

    def answer(self, code, body):
        text = json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


def status(code, reason, message):
    return {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason, "message": message}


def metadata(name, uid, **more):
    return {"name": name, "uid": uid, "resourceVersion": "1", "labels": {"app": "shop"}, **more}


def pod(number):
    uid = f"00000000-0000-4000-8000-{number:012x}"
    image = f"registry.example/shop/web:{number}"
    return {
        "kind": "Pod", "apiVersion": "v1", "metadata": metadata(f"web-{number}", uid, namespace="shop"),
        "spec": {"nodeName": "compose-node", "serviceAccountName": "web", "containers": [{"name": "web", "image": image}]},
        "status": {"phase": "Running", "containerStatuses": [
            {"name": "web", "image": image, "imageID": image, "containerID": f"containerd://{number:064x}", "ready": True, "restartCount": 0},
        ]},
    }


def node():
    info = {"kubeletVersion": "v1.35.0", "bootID": "0d1f6b9e-5a0e-4c57-8f5d-0f6c5d3a9b21", "osImage": "Debian GNU/Linux 12"}
    return {"kind": "Node", "apiVersion": "v1", "metadata": metadata("compose-node", "11111111-1111-4111-8111-111111111111"),
            "spec": {}, "status": {"nodeInfo": info}}
