"""Makes requests at a real API server, and waits until the collector has taken them and raised alerts: at_api_server.py CONTEXT NAMESPACE"""

import os
import re
import subprocess
import sys
import time
import urllib.request

# How long events may wait in the API server: --audit-webhook-batch-max-wait is 30 seconds unless set.
PATIENCE = 90
# Each is a dry run, and what at least one rule of ours is about.
REQUESTS = {
    "a binding to cluster-admin": ["create", "clusterrolebinding", "defender-audit-case", "--clusterrole=cluster-admin", "--user=nobody"],
    "a role over everything": ["create", "clusterrole", "defender-audit-case", "--verb=*", "--resource=*.*"],
    "a port of every node": ["create", "service", "nodeport", "defender-audit-case", "--tcp=80:80"],
}


def kubectl(*arguments, **options):
    command = [os.environ["KUBECTL"], "--context", sys.argv[1], *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, **options)


class Collector:
    """Its metrics, by a port that kubectl forwards."""

    def __enter__(self):
        command = [os.environ["KUBECTL"], "--context", sys.argv[1], "--namespace", sys.argv[2], "port-forward", "deployment/defender-collector-misc", ":9103"]
        self.forwarding = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        line = self.forwarding.stdout.readline()
        found = re.search(r"127\.0\.0\.1:(\d+)", line)
        if not found:
            raise SystemExit(f"no port of deployment/defender-collector-misc in {sys.argv[2]} is forwarded: {line!r}")
        self.url = f"http://127.0.0.1:{found[1]}/metrics"
        return self

    def __exit__(self, *_):
        self.forwarding.terminate()
        self.forwarding.wait()

    def count(self, metric):
        text = urllib.request.urlopen(self.url, timeout=20).read().decode()
        values = [float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if re.match(rf"{metric}(\{{|\s)", line)]
        return sum(values)

    def alerts(self):
        return self.count("defender_alerts_total") + self.count("defender_alerts_held_total")


def raises_an_alert(collector, request):
    """Whether the request came by the webhook and raised an alert. Prints what came instead."""
    events, alerts = collector.count("defender_audit_events_total"), collector.alerts()
    made = kubectl(*request, "--dry-run=server")
    if made.returncode != 0:
        print(f"  the API server refused it, which is told all the same: {made.stderr.strip()}")
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        if collector.alerts() > alerts:
            return True
        time.sleep(1)
    print(f"  {collector.count('defender_audit_events_total') - events:.0f} events came, and no alert")
    return False


def main():
    with Collector() as collector:
        outcomes = {what: raises_an_alert(collector, request) for what, request in REQUESTS.items()}
        lost = collector.count("defender_audit_events_lost_total")
    for what, outcome in outcomes.items():
        print(f"{'ok' if outcome else 'FAILED'}: {what}")
    print(f"{lost:.0f} events could not be read")
    failed = list(outcomes.values()).count(False) + (lost > 0)
    print(f"{len(outcomes) + 1 - failed} passed, {failed} failed, 0 skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
