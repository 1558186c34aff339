"""Certificates: what Helm makes really serves and is believed, and cert-manager is asked for the right thing."""

import base64
import os
import pathlib
import socket
import ssl
import tempfile
import threading
import unittest

from cryptography import x509

from chart import FOLDER, render


class Generated(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        settings = ["clusterName=prod-1", "tls.dnsNames={defender.example.com}", "tls.ipAddresses={203.0.113.7}"]
        objects = render(settings=settings)
        cls.authority = decoded(objects.find("Secret", "defender-ca"))
        cls.backend = decoded(objects.find("Secret", "defender-backend-tls"))
        cls.publisher = decoded(objects.find("Secret", "defender-publisher-tls"))

    def test_backend_and_publisher_believe_each_other(self):
        with tempfile.TemporaryDirectory() as folder:
            name = handshake(pathlib.Path(folder), self.backend, self.publisher, "defender-backend.kube-system.svc")
        self.assertEqual(name, "any.publisher.prod-1.defender")

    def test_a_publisher_of_another_authority_is_refused(self):
        stranger = decoded(render().find("Secret", "defender-publisher-tls"))
        stranger["ca.crt"] = self.publisher["ca.crt"]
        with tempfile.TemporaryDirectory() as folder, self.assertRaises(OSError):
            handshake(pathlib.Path(folder), self.backend, stranger, "defender-backend.kube-system.svc")

    def test_the_backend_answers_to_its_services_and_the_further_names(self):
        names = alternative_names(self.backend)
        dns = names.get_values_for_type(x509.DNSName)
        for name in ("defender-backend.kube-system.svc", "defender-console.kube-system.svc", "localhost", "defender.example.com"):
            self.assertIn(name, dns)
        addresses = [str(address) for address in names.get_values_for_type(x509.IPAddress)]
        self.assertEqual(addresses, ["127.0.0.1", "203.0.113.7"])

    def test_the_publishers_certificate_names_its_cluster_alone(self):
        names = list(alternative_names(self.publisher))
        self.assertEqual(names, [x509.DNSName("any.publisher.prod-1.defender")])

    def test_no_leaf_may_sign(self):
        for leaf in (self.backend, self.publisher):
            constraints = certificate(leaf).extensions.get_extension_for_class(x509.BasicConstraints).value
            self.assertFalse(constraints.ca)

    def test_the_authoritys_key_is_in_its_own_secret_alone(self):
        for leaf in (self.backend, self.publisher):
            self.assertNotEqual(leaf["tls.key"], self.authority["tls.key"])
            self.assertEqual(leaf["ca.crt"], self.authority["tls.crt"])


class CertManager(unittest.TestCase):
    def test_the_publishers_certificate_carries_the_clusters_spiffe_id(self):
        objects = render(FOLDER / "values" / "cert-manager.yaml")
        spec = objects.find("Certificate", "defender-publisher")["spec"]
        self.assertEqual(spec["uris"], ["spiffe://defender/cluster/prod-1/publisher/any"])
        self.assertIn("client auth", spec["usages"])
        self.assertEqual(spec["issuerRef"]["name"], "defender-ca")
        self.assertEqual(spec["secretName"], secret_of(objects, "DaemonSet", "defender-publisher-ds"))

    def test_the_backends_certificate_carries_its_names(self):
        objects = render(FOLDER / "values" / "cert-manager.yaml")
        spec = objects.find("Certificate", "defender-backend")["spec"]
        self.assertIn("defender-backend.kube-system.svc", spec["dnsNames"])
        self.assertEqual(spec["secretName"], secret_of(objects, "StatefulSet", "defender-backend"))

    def test_an_issuer_of_yours_signs_and_none_is_made(self):
        objects = render(FOLDER / "values" / "cert-manager-sensors-only.yaml")
        (only,) = objects.kind("Certificate")
        self.assertEqual(only["metadata"]["name"], "defender-publisher")
        self.assertEqual(only["spec"]["issuerRef"], {"name": "company", "kind": "ClusterIssuer", "group": "cert-manager.io"})
        self.assertEqual(objects.kind("Issuer"), [])

    def test_helm_makes_no_key_where_cert_manager_does(self):
        secrets = [one["metadata"]["name"] for one in render(FOLDER / "values" / "cert-manager.yaml").kind("Secret")]
        self.assertEqual(secrets, ["defender-api-token"])


class ExistingSecret(unittest.TestCase):
    def test_your_secrets_are_mounted_and_none_is_made(self):
        objects = render(FOLDER / "values" / "existing-secret.yaml")
        self.assertEqual(objects.kind("Secret"), [])
        self.assertEqual(secret_of(objects, "StatefulSet", "defender-backend"), "our-backend")
        self.assertEqual(secret_of(objects, "DaemonSet", "defender-publisher-ds"), "our-publisher")


def secret_of(objects, kind, name):
    (volume,) = [volume for volume in objects.pod(kind, name)["volumes"] if volume["name"] == "tls"]
    return volume["secret"]["secretName"]


def decoded(secret):
    return {key: base64.b64decode(value) for key, value in secret["data"].items()}


def certificate(data):
    return x509.load_pem_x509_certificate(data["tls.crt"])


def alternative_names(data):
    return certificate(data).extensions.get_extension_for_class(x509.SubjectAlternativeName).value


def context(folder, purpose, data):
    for name, content in data.items():
        with open(folder / name, "wb", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
            file.write(content)
    made = ssl.SSLContext(purpose)
    made.minimum_version = ssl.TLSVersion.TLSv1_3
    made.load_cert_chain(folder / "tls.crt", folder / "tls.key")
    made.load_verify_locations(folder / "ca.crt")
    made.verify_mode = ssl.CERT_REQUIRED
    return made


def handshake(folder, server_data, client_data, server_name):
    """Mutual TLS between the two; gives the client's name as the server saw it."""
    (folder / "server").mkdir()
    (folder / "client").mkdir()
    server = context(folder / "server", ssl.PROTOCOL_TLS_SERVER, server_data)
    client = context(folder / "client", ssl.PROTOCOL_TLS_CLIENT, client_data)
    here, there = socket.socketpair()
    seen = []

    def serve():
        try:
            with server.wrap_socket(there, server_side=True) as accepted:
                seen.append(accepted.getpeercert())
                accepted.sendall(b"welcome")
        except OSError:
            there.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with client.wrap_socket(here, server_hostname=server_name) as connected:
            if connected.recv(7) != b"welcome":
                raise ConnectionError("refused")
    finally:
        thread.join(timeout=10)
    return dict(seen[0]["subjectAltName"])["DNS"]
