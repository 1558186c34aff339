"""Wrong values are refused before anything is installed, by a message that names the value and the way out."""

import unittest

from chart import HelmError, render

REFUSED = {
    "collectorDs.resurces.limits.cpu=1": ["/collectorDs", "'resurces' not allowed"],
    "clusterName=My_Cluster": ["/clusterName", "'My_Cluster' does not match pattern"],
    "tls.mode=selfsigned": ["/tls/mode", "'generated', 'certManager', 'existingSecret'"],
    "collectorDs.enabled=sometimes": ["/collectorDs/enabled", "got string, want boolean"],
    "publisherDs.backend.url=http://plain.example.com": ["/publisherDs/backend/url", "does not match pattern '^(https://"],
    "publisherDs.spool.maximumBytes=2Gigs": ["/publisherDs/spool/maximumBytes", "'2Gigs' does not match"],
    "collectorDs.resources.limits.memory=lots": ["/collectorDs/resources/limits/memory", "'lots' does not match"],
    "networkPolicy.apiServer.ports={70000}": ["/networkPolicy/apiServer/ports/0", "maximum"],
    "networkPolicy.backendCidrs={everywhere}": ["/networkPolicy/backendCidrs/0", "'everywhere' does not match"],
    "image.registry=https://registry.example.com": ["/image/registry", "does not match"],
    "backend.ingest.service.type=ExternalName": ["/backend/ingest/service/type", "'LoadBalancer'"],
    "collectorDs.image.digest=latest": ["/collectorDs/image/digest", "sha256"],
    "rules.custom.rules=text": ["rules", "does not match"],
    "threatIntelligence.files.domains=text": ["domains", "does not match"],
    "socket.hostPath=/": ["/socket/hostPath", "does not match"],
    "backend.enabled=false": ["publisherDs.backend.url is empty", "https://defender.example.com:443"],
    "backend.enabled=false,publisherDs.backend.url=https://x": ["tls.mode is generated", "existingSecret"],
    "tls.mode=existingSecret": ["tls.existingSecret.backend is empty", "ca.crt, tls.crt and tls.key"],
    "tls.mode=existingSecret,tls.existingSecret.backend=x": ["tls.existingSecret.publisher is empty"],
    "tls.mode=certManager,backend.enabled=false,publisherDs.backend.url=https://x": ["tls.certManager.issuerRef.name is empty"],
    "publisherDs.enabled=false": ["a sensor without its publisher", "enable both"],
    "publisherDs.enabled=false,collectorDs.enabled=false": ["collectorMisc.enabled without publisherDs.enabled"],
}


class Values(unittest.TestCase):
    def test_wrong_values_are_refused_by_a_message_that_names_them(self):
        for setting, parts in REFUSED.items():
            with self.subTest(setting):
                with self.assertRaises(HelmError) as refusal:
                    render(settings=[setting])
                for part in parts:
                    self.assertIn(part, str(refusal.exception))

    def test_a_kubernetes_older_than_the_charts_is_refused(self):
        with self.assertRaises(HelmError) as refusal:
            render(kubernetes="1.24.0")
        self.assertIn("incompatible with Kubernetes", str(refusal.exception))
