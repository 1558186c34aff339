"""The suite under docker compose: images built, containers up, the API and Prometheus to ask."""

import contextlib
import http.client
import io
import json
import os
import pathlib
import re
import secrets
import shutil
import socket
import ssl
import subprocess
import tarfile
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

import certificates

FOLDER = pathlib.Path(__file__).parent
REPOSITORY = FOLDER.parent.parent
PROGRAMS = ["backend", "collector-ds", "collector-misc", "publisher-ds"]
SERVICES = {"backend": 9104, "collector-ds": 9101, "publisher-ds": 9102}
REGISTRY = "localhost/defender-test"
ACT_IMAGE = f"{REGISTRY}/act:1"
USER = 65532


class Suite:
    """Entered, everything is up; left, nothing of it remains but the images' cache."""

    def __init__(self):
        self.name = f"defender-test-{os.getpid()}"
        self.tag = str(os.getpid())
        self.token = secrets.token_hex(16)
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="defender-compose-"))
        self.prometheus = None
        self.containers = {}

    def start(self):
        for program in PROGRAMS:
            build(program, self.image(program))
        import_act_image()
        self.write_files()
        self.compose("up", "--detach", "--no-build")
        for service in SERVICES:
            self.containers[service] = self.compose("ps", "--quiet", service).strip()
        self.wait_ready()
        self.start_prometheus()

    def stop(self):
        """Ends and removes everything, however far the start came."""
        if self.prometheus:
            self.prometheus.terminate()
            self.prometheus.wait(timeout=30)
        attempt(lambda: self.compose("down", "--volumes", "--timeout", "20"))
        for image in [*map(self.image, PROGRAMS), ACT_IMAGE]:
            attempt(lambda: docker("rmi", "--force", image))
        shutil.rmtree(self.folder, ignore_errors=True)

    def image(self, program):
        return f"{REGISTRY}/{program}:{self.tag}"

    def compose(self, *arguments):
        return run([*os.environ["COMPOSE"].split(), "--project-name", self.name, "--file", FOLDER / "docker-compose.yml", *arguments], {
            "DEFENDER_REGISTRY": REGISTRY,
            "DEFENDER_TAG": self.tag,
            "DEFENDER_FILES": str(self.folder),
            "DEFENDER_DOCKER_SOCKET": os.environ["DOCKER_HOST"].removeprefix("unix://"),
            "DEFENDER_THIRD_CAPABILITY": third_capability(),
            "DEFENDER_HOST_MOUNT": host_mount(),
        })

    def write_files(self):
        """Keys, certificates and the token, each readable for its program alone."""
        given = os.environ.get("DEFENDER_CERTIFICATES")
        made = pathlib.Path(given) if given else self.folder
        if not given:
            certificates.make(made)
        for service in ("backend", "publisher"):
            for source, target in ((f"{service}.crt", "tls.crt"), (f"{service}.key", "tls.key"), ("ca.crt", "ca.crt")):
                private(self.folder / service / target, (made / source).read_bytes())
        private(self.folder / "api" / "token", self.token.encode())
        self.authority = made / "ca.crt"

    def wait_ready(self):
        for service, port in SERVICES.items():
            wait_for(f"{service} is ready", 60, lambda: self.fetch(service, port, "/readyz"), lambda: self.logs(service))

    def address(self, service):
        """The container's address on the network of metrics."""
        networks = inspect(self.containers[service])["NetworkSettings"]["Networks"]
        return networks[f"{self.name}_metrics"]["IPAddress"]

    def fetch(self, service, port, path):
        with urllib.request.urlopen(f"http://{self.address(service)}:{port}{path}", timeout=10) as answer:
            return answer.read().decode()

    def api(self, path):
        """The backend's API, by its certificate's name."""
        context = ssl.create_default_context(cafile=self.authority)
        connection = http.client.HTTPSConnection("backend", 8080, timeout=10, context=context)
        connection._create_connection = lambda _, *rest: socket.create_connection((self.address("backend"), 8080), *rest)
        with contextlib.closing(connection):
            connection.request("GET", path, headers={"Authorization": f"Bearer {self.token}"})
            answer = connection.getresponse()
            content = answer.read().decode()
        if answer.status != 200:
            raise OSError(f"GET {path}: {answer.status}: {content}")
        return json.loads(content)

    def logs(self, service, lines=30):
        done = subprocess.run([os.environ["DOCKER"], "logs", "--tail", str(lines), self.containers[service]], capture_output=True, text=True)
        return f"the end of the log of {service}:\n{done.stdout}{done.stderr}"

    def start_prometheus(self):
        targets = [
            {"targets": [f"{self.address(service)}:{port}"], "labels": {"service": service}} for service, port in SERVICES.items()
        ]
        config = {"global": {"scrape_interval": "1s"}, "scrape_configs": [{"job_name": "defender", "static_configs": targets}]}
        (self.folder / "prometheus.yml").write_text(json.dumps(config))
        self.prometheus_port = free_port()
        with open(self.folder / "prometheus.log", "w", encoding="utf-8") as log:
            self.prometheus = subprocess.Popen(
                [
                    "prometheus",
                    f"--config.file={self.folder}/prometheus.yml",
                    f"--storage.tsdb.path={self.folder}/prometheus",
                    f"--web.listen-address=127.0.0.1:{self.prometheus_port}",
                ],
                stdout=log,
                stderr=log,
            )

    def ask_prometheus(self, path, **query):
        url = f"http://127.0.0.1:{self.prometheus_port}/api/v1/{path}?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.load(answer)["data"]


def build(program, image):
    """By the Dockerfile's prebuilt way, from a context that holds what the way needs and nothing else."""
    with tempfile.TemporaryDirectory() as context:
        context = pathlib.Path(context)
        (context / "dist").mkdir()
        for name in [*PROGRAMS, "prepare-node"]:
            shutil.copy2(pathlib.Path(os.environ["DEFENDER_DIST"]) / name, context / "dist")
        shutil.copytree(REPOSITORY / "rules", context / "rules")
        for name in ("Dockerfile", ".dockerignore", "LICENSE"):
            shutil.copy2(REPOSITORY / name, context)
        arguments = ["--build-arg", "BINARIES=prebuilt", "--target", program, "--tag", image]
        docker("build", "--quiet", *arguments, context, environment={"DOCKER_BUILDKIT": "1"})


def import_act_image():
    """A busybox from this machine, with the names under which its programs are called."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for folder, mode in (("bin", 0o755), ("tmp", 0o1777), ("etc", 0o755)):
            entry = tarfile.TarInfo(folder)
            entry.type, entry.mode = tarfile.DIRTYPE, mode
            tar.addfile(entry)
        tar.add(shutil.which("busybox") or "/bin/busybox", "bin/busybox")
        for applet in ("sh", "cp", "id", "sleep", "true"):
            entry = tarfile.TarInfo(f"bin/{applet}")
            entry.type, entry.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(entry)
    subprocess.run([os.environ["DOCKER"], "import", "-", ACT_IMAGE], input=archive.getvalue(), check=True, capture_output=True)


def third_capability():
    """SYS_RESOURCE, unless this machine has none to give; then one that is given anyway, in its other spelling."""
    bounding = int(re.search(r"CapBnd:\s*(\w+)", pathlib.Path("/proc/1/status").read_text())[1], 16)
    return "SYS_RESOURCE" if bounding >> 24 & 1 else "CAP_SYS_PTRACE"


def host_mount():
    """A private root, as of machines without systemd, can't be a slave's master."""
    for line in pathlib.Path("/proc/1/mountinfo").read_text().splitlines():
        parts = line.split()
        if parts[4] == "/" and any(part.startswith("shared:") for part in parts[6:parts.index("-")]):
            return "ro,rslave"
    return "ro"


def wait_for(what, seconds, attempt_once, explain=lambda: ""):
    """The first answer that is no error; after the deadline the last error, and what `explain` says."""
    end = time.monotonic() + seconds
    while True:
        try:
            return attempt_once()
        except (OSError, AssertionError) as error:
            if time.monotonic() > end:
                raise AssertionError(f"not within {seconds} s: {what}: {reason(error)}\n{explain()}") from error
            time.sleep(0.25)


def reason(error):
    body = error.read().decode() if isinstance(error, urllib.error.HTTPError) else ""
    return f"{error} {body}"


def inspect(container):
    return json.loads(docker("inspect", container))[0]


def docker(*arguments, environment=None):
    return run([os.environ["DOCKER"], *arguments], environment)


def run(command, environment=None):
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, env={**os.environ, **(environment or {})})
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))}: {done.stdout}{done.stderr}")
    return done.stdout


def attempt(action):
    try:
        action()
    except RuntimeError as error:
        print(f"while cleaning up: {error}")


def private(path, content):
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    path.chmod(0o400)
    os.chown(path, USER, USER)


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]
