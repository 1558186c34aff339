"""Waits for one alert in the API; exits non-zero where it doesn't come, and prints what came instead."""

import argparse
import json
import ssl
import sys
import time
import urllib.request

WITHIN = 60


def main():
    parser = argparse.ArgumentParser()
    for name in ("url", "token", "authority", "rule", "namespace", "pod"):
        parser.add_argument(f"--{name}", required=True)
    wanted = parser.parse_args()
    with open(wanted.authority, encoding="ascii") as file:
        context = ssl.create_default_context(cadata=file.read())
    end, alerts, problem = time.monotonic() + WITHIN, [], None
    while time.monotonic() < end:
        try:
            alerts, problem = fetch(wanted, context), None
        except OSError as error:
            problem = error
        for alert in alerts:
            pod = (alert.get("container") or {}).get("pod") or {}
            if (alert["rule"], pod.get("namespace"), pod.get("name")) == (wanted.rule, wanted.namespace, wanted.pod):
                print(alert["message"])
                return 0
        time.sleep(0.5)
    print(f"no alert {wanted.rule!r} of {wanted.namespace}/{wanted.pod} within {WITHIN} s; {problem or ''}")
    for alert in alerts[:10]:
        print(f"  {alert['time']} {alert['rule']}: {alert['message']}")
    return 1


def fetch(wanted, context):
    request = urllib.request.Request(f"{wanted.url}/api/v1/alerts?limit=1000", headers={"Authorization": f"Bearer {wanted.token}"})
    with urllib.request.urlopen(request, context=context, timeout=10) as answer:
        return json.load(answer)["items"]


if __name__ == "__main__":
    sys.exit(main())
