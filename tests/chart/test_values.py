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
    "publisherDs.otlp[0].name=SIEM,publisherDs.otlp[0].endpoint=https://x": ["/publisherDs/otlp/0/name", "'SIEM' does not match"],
    "publisherDs.otlp[0].name=siem": ["/publisherDs/otlp/0", "endpoint"],
    "publisherDs.otlp[0].name=siem,publisherDs.otlp[0].endpoint=https://x": ["siem is https and has no secret", "ca.crt"],
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
    "publisherDs.backend.clientCertificate=false": ["publisherDs.backend.tokenSecret is empty", "name the Secret"],
    "publisherDs.backend.fallbackUrls={http://x}": ["/publisherDs/backend/fallbackUrls/0", "does not match"],
    "publisherDs.proxy.url=socks5://proxy:1080": ["/publisherDs/proxy/url", "does not match"],
    "publisherDs.proxy.url=http://joe:secret@proxy:3128": ["/publisherDs/proxy/url", "does not match"],
    "publisherDs.proxy.url=https://proxy:3128": ["publisherDs.proxy.caConfigMap is empty"],
    "publisherDs.proxy.userSecret=user": ["publisherDs.proxy.url is empty"],
    "publisherDs.enrolment.enabled=true,publisherDs.enrolment.secret=x,publisherDs.backend.tokenSecret=y": ["set one of both"],
    "publisherDs.enrolment.enabled=true": ["publisherDs.enrolment.secret is empty", "backend enrolment tokens create", "ca.crt"],
    "backend.enrolment.enabled=true,backend.persistence.enabled=false": ["enable both"],
    "backend.enrolment.certificateSeconds=60": ["/backend/enrolment/certificateSeconds", "minimum"],
    "backend.store.kubernetesChangesSeconds=3600": ["/backend/store/kubernetesChangesSeconds", "minimum"],
    "backend.store.resolvedFindingsSeconds=90d": ["/backend/store/resolvedFindingsSeconds", "got string, want integer"],
    "backend.enrolment.existingNodes=ask": ["/backend/enrolment/existingNodes", "'replace', 'refuse'"],
    "collectorMisc.audit.enabled=true,collectorMisc.audit.clientCertificate=false": ["anybody could send audit events"],
    "collectorMisc.audit.service.type=LoadBalancer": ["/collectorMisc/audit/service/type", "'ClusterIP', 'NodePort'"],
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
