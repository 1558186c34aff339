"""Enrolment: what the nodes are given to enrol with, where they keep what they get, and that nothing else is made."""

import unittest

from chart import FOLDER, config_of, only_container, render

CENTRAL = FOLDER / "values" / "enrolment.yaml"
FURTHER = FOLDER / "values" / "enrolment-sensors-only.yaml"


class Enrolment(unittest.TestCase):
    def test_off_unless_it_is_asked_for(self):
        objects = render()
        self.assertFalse(config_of(objects, "backend")["enrolment"]["enabled"])
        self.assertNotIn("enrolment", config_of(objects, "publisher-ds"))
        self.assertNotIn("identity", volumes(objects))

    def test_the_nodes_have_the_token_and_the_backends_authority_and_no_certificate(self):
        for values, cluster in ((CENTRAL, "prod-1"), (FURTHER, "edge-7")):
            objects = render(values)
            config = config_of(objects, "publisher-ds")
            self.assertEqual(config["enrolment"]["cluster"], cluster)
            self.assertEqual(config["enrolment"]["token_file"], "/etc/defender/enrolment/token")
            self.assertEqual(config["backend"]["ca_file"], "/etc/defender/enrolment/ca.crt")
            self.assertNotIn("key_file", config["backend"])
            self.assertEqual(volumes(objects)["enrolment"]["secret"], {"secretName": "our-enrolment", "defaultMode": 0o440})
            self.assertNotIn("tls", volumes(objects))

    def test_what_they_get_lies_on_the_node_in_a_folder_of_the_publishers_group(self):
        objects = render(CENTRAL)
        directory = config_of(objects, "publisher-ds")["enrolment"]["directory"]
        self.assertEqual(volumes(objects)["identity"]["hostPath"]["path"], "/data/publisher")
        pod = objects.pod("DaemonSet", "defender-publisher-ds")
        (init,) = pod["initContainers"]
        self.assertIn(directory, init["command"])
        for container in (init, only_container(pod)):
            mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
            self.assertEqual(mounts["identity"], directory)

    def test_no_certificate_is_made_for_the_whole_cluster(self):
        names = [one["metadata"]["name"] for one in render(CENTRAL).kind("Secret")]
        self.assertEqual(sorted(names), ["defender-api-token", "defender-backend-tls", "defender-ca"])
        self.assertEqual(render(FURTHER).kind("Secret"), [])
        settings = ["tls.mode=certManager"]
        names = [one["metadata"]["name"] for one in render(CENTRAL, settings).kind("Certificate")]
        self.assertEqual(sorted(names), ["defender-backend", "defender-ca"])
        self.assertEqual(render(FURTHER, settings).kind("Certificate"), [])

    def test_the_backend_is_told_how(self):
        enrolment = config_of(render(CENTRAL), "backend")["enrolment"]
        self.assertEqual(enrolment, {"enabled": True, "certificate_seconds": 3600, "existing_nodes": "refuse"})


def volumes(objects):
    return {volume["name"]: volume for volume in objects.pod("DaemonSet", "defender-publisher-ds")["volumes"]}
