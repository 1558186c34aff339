"""What a user gets from the images: small, closed, inside the limits, and an attack becomes an alert."""

import io
import itertools
import json
import pathlib
import re
import tarfile
import unittest

import collector_misc
from collector_misc import MEBIBYTE, rss
from suite import ACT_IMAGE, PROGRAMS, SERVICES, Suite, docker, inspect, third_capability, wait_for

# Memory in bytes, CPU in thousandths, capabilities, user: the table of docs/install.md.
TABLE = {
    "collector-ds": (296 * MEBIBYTE, 360, {"SYS_ADMIN", "SYS_RESOURCE", "SYS_PTRACE"}, "0:0"),
    "publisher-ds": (200 * MEBIBYTE, 60, set(), "65532:65532"),
}
RULE = "Program run from a temporary directory in a container"
LARGEST_IMAGE = 25_000_000
CAPABILITY_BITS = {"SYS_PTRACE": 19, "SYS_ADMIN": 21, "SYS_RESOURCE": 24}
# The engine adds these to every container.
ENGINES_OWN = {".dockerenv", "dev", "etc", "etc/hostname", "etc/hosts", "etc/mtab", "etc/resolv.conf", "proc", "sys"}
FILES = {
    "backend": {"backend"},
    "collector-ds": {"collector-ds"},
    "collector-misc": {"collector-misc"},
    "publisher-ds": {"publisher-ds", "prepare-node"},
}

suite = Suite()


def setUpModule():
    # At once: also where the start fails half way.
    unittest.addModuleCleanup(suite.stop)
    suite.start()


class Images(unittest.TestCase):
    def test_each_is_under_25_megabytes(self):
        for program in PROGRAMS:
            size = json.loads(docker("image", "inspect", suite.image(program)))[0]["Size"]
            print(f"\nshown: image {program}: {size / 1e6:.1f} MB")
            self.assertLess(size, LARGEST_IMAGE, program)

    def test_each_holds_its_program_and_no_shell(self):
        for program in PROGRAMS:
            with self.subTest(program):
                found = {name for name in files_of(suite.image(program)) if not name.startswith(("dev/", "etc/defender/rules/"))}
                self.assertEqual(found - ENGINES_OWN, FILES[program] | {"LICENSE"})

    def test_the_sensors_rules_are_in_its_image(self):
        rules = [name for name in files_of(suite.image("collector-ds")) if name.startswith("etc/defender/rules/")]
        self.assertTrue(any(name.endswith(".yaml") for name in rules), rules)

    def test_each_runs_read_only_without_a_capability_and_tells_its_version(self):
        for program in PROGRAMS:
            options = ["--rm", "--read-only", "--cap-drop=ALL", "--network=none", "--security-opt=no-new-privileges"]
            told = docker("run", *options, suite.image(program), "--version")
            self.assertRegex(told, rf"^{program} \d+\.\d+\.\d+", program)

    def test_only_the_sensors_user_is_root(self):
        users = {program: json.loads(docker("image", "inspect", suite.image(program)))[0]["Config"]["User"] for program in PROGRAMS}
        self.assertEqual(users.pop("collector-ds"), "0:0")
        self.assertEqual(set(users.values()), {"65532:65532"})

    def test_prepare_node_gives_a_roots_folder_to_the_publishers_group_without_a_capability(self):
        folder = suite.folder / "as-the-kubelet-makes-it"
        folder.mkdir(mode=0o755)
        options = ["--rm", "--read-only", "--cap-drop=ALL", "--network=none", "--security-opt=no-new-privileges"]
        mount = ["--user=0:65532", f"--volume={folder}:/spool", "--entrypoint=/prepare-node"]
        docker("run", *options, *mount, suite.image("publisher-ds"), "/spool")
        made = folder.stat()
        self.assertEqual((made.st_uid, made.st_gid, made.st_mode & 0o7777), (0, 65532, 0o770))


class Containers(unittest.TestCase):
    def test_the_engine_holds_them_to_the_tables_limits(self):
        for service, (memory, thousandths, capabilities, user) in TABLE.items():
            with self.subTest(service):
                container = inspect(suite.containers[service])
                host = container["HostConfig"]
                self.assertEqual(host["Memory"], memory)
                self.assertEqual(host["NanoCpus"], thousandths * 1_000_000)
                self.assertEqual({name.removeprefix("CAP_") for name in host["CapAdd"] or []}, available(capabilities))
                self.assertEqual(host["CapDrop"], ["ALL"])
                self.assertEqual(container["Config"]["User"], user)

    def test_the_kernel_holds_them_to_their_user_and_capabilities(self):
        for service, (_, _, capabilities, user) in TABLE.items():
            with self.subTest(service):
                status = status_of(suite.containers[service])
                self.assertEqual(status["Uid"].split()[0], user.split(":", maxsplit=1)[0])
                self.assertEqual(names_of(int(status["CapEff"], 16)), available(capabilities))
                self.assertEqual(int(status["CapBnd"], 16), int(status["CapEff"], 16) if capabilities else 0)
                self.assertEqual(status["NoNewPrivs"], "1")
                self.assertEqual(status["Seccomp"], "2", "a seccomp filter")

    def test_every_root_file_system_is_read_only(self):
        for service in SERVICES:
            self.assertIs(inspect(suite.containers[service])["HostConfig"]["ReadonlyRootfs"], True, service)

    def test_they_reach_internal_networks_alone_and_the_sensor_not_even_the_backends(self):
        for service in SERVICES:
            networks = inspect(suite.containers[service])["NetworkSettings"]["Networks"]
            wanted = {"metrics"} if service == "collector-ds" else {"metrics", "uplink"}
            self.assertEqual({name.removeprefix(f"{suite.name}_") for name in networks}, wanted)
            for name in networks:
                self.assertIs(json.loads(docker("network", "inspect", name))[0]["Internal"], True, name)


class Way(unittest.TestCase):
    def test_a_an_act_in_a_further_container_raises_its_alert(self):
        name = f"{suite.name}-act"
        options = ["--detach", "--rm", "--network=none", f"--name={name}"]
        act = "cp /bin/busybox /tmp/true && /tmp/true compose-act; exec sleep 300"
        container = docker("run", *options, ACT_IMAGE, "sh", "-c", act).strip()
        self.addCleanup(docker, "rm", "--force", container)
        alert = wait_for(f"the alert of {container[:12]}", 120, lambda: alert_of(container, "compose-act"), nearest)
        self.assertEqual(alert["rule"], RULE)
        self.assertEqual(alert["process_chain"][0]["arguments"], ["/tmp/true", "compose-act"])
        print(f"\n    {alert['message']}", end="")
        self.check_that_a_later_act_is_named(container, name)

    def check_that_a_later_act_is_named(self, container, name):
        """The first may be faster than the engine's answer about the container; what comes later carries its name."""
        attempts = itertools.count()

        def act_named():
            # Each another one: a repeat would be counted beside the first.
            docker("exec", container, "/tmp/true", "compose-later", str(next(attempts)))
            self.assertEqual((alert_of(container, "compose-later")["container"]["name"] or "").lstrip("/"), name)

        wait_for(f"an alert with the name {name}, which comes by the engine's socket", 120, act_named, nearest)

    def test_b_the_api_refuses_a_wrong_token(self):
        right, suite.token = suite.token, "wrong"
        try:
            with self.assertRaisesRegex(OSError, "401"):
                suite.api("/api/v1/alerts")
        finally:
            suite.token = right

    def test_c_prometheus_scrapes_all_of_them(self):
        def all_up():
            targets = suite.ask_prometheus("targets")["activeTargets"]
            health = {target["labels"]["service"]: (target["health"], target["lastError"]) for target in targets}
            self.assertEqual(health, {service: ("up", "") for service in SERVICES})

        wait_for("all targets are up", 120, all_up)

    def test_d_what_prometheus_scraped_names_each_program(self):
        def named():
            result = suite.ask_prometheus("query", query="defender_build_info == 1")["result"]
            self.assertEqual({one["metric"]["component"] for one in result}, set(SERVICES))

        wait_for("defender_build_info of each", 120, named)

    def test_e_a_cluster_is_watched_inside_64_mebibytes(self):
        collector_misc.check(self, suite)

    def test_e_none_was_killed_restarted_or_near_its_limit(self):
        print()
        for service in SERVICES:
            state = inspect(suite.containers[service])["State"]
            self.assertTrue(state["Running"], suite.logs(service))
            self.assertFalse(state["OOMKilled"], service)
            resident = rss(state["Pid"])
            limit = inspect(suite.containers[service])["HostConfig"]["Memory"]
            print(f"shown: compose, {service}: RSS {resident / MEBIBYTE:.1f} MiB of {limit / MEBIBYTE:.0f} MiB; {stats(service)}")
            self.assertLess(resident, limit / 2, service)

    def test_f_all_end_in_order_when_asked(self):
        suite.compose("stop", "--timeout", "30")
        for service in SERVICES:
            state = inspect(suite.containers[service])["State"]
            self.assertEqual(state["ExitCode"], 0, suite.logs(service))


def files_of(image):
    """Names of all in an image that is no folder, and what the engine adds."""
    container = docker("create", image).strip()
    try:
        with_archive = suite.folder / "image.tar"
        docker("export", "--output", with_archive, container)
        with tarfile.open(fileobj=io.BytesIO(with_archive.read_bytes())) as tar:
            return [entry.name for entry in tar if not entry.isdir()]
    finally:
        docker("rm", container)


def available(capabilities):
    """Without SYS_RESOURCE where the machine has none to give."""
    return capabilities - {"SYS_RESOURCE"} if third_capability() != "SYS_RESOURCE" else capabilities


def names_of(bits):
    known = {name for name, bit in CAPABILITY_BITS.items() if bits >> bit & 1}
    others = bits & ~sum(1 << bit for bit in CAPABILITY_BITS.values())
    return known | ({hex(others)} if others else set())


def status_of(container):
    text = pathlib.Path(f"/proc/{inspect(container)['State']['Pid']}/status").read_text()
    return dict(re.findall(r"^(\w+):\s*(.*)$", text, re.MULTILINE))


def stats(service):
    return docker("stats", "--no-stream", "--format", "{{.MemUsage}}, CPU {{.CPUPerc}}", suite.containers[service]).strip()


def alert_of(container, marker):
    """The newest alert of the rule, about a process in the container with the marker among its arguments."""
    for alert in suite.api("/api/v1/alerts?limit=1000")["items"]:
        process, place = alert["process_chain"][0], alert.get("container") or {}
        if alert["rule"] == RULE and place.get("id") == container and marker in process["arguments"]:
            return alert
    raise AssertionError("no such alert")


def nearest():
    alerts = suite.api("/api/v1/alerts?limit=10")["items"]
    came = "\n".join(f"{alert['time']} {alert['rule']}: {alert['message']}" for alert in alerts)
    return f"the last alerts:\n{came}\n{suite.logs('collector-ds')}\n{suite.logs('publisher-ds')}"
