"""The documentation lists the values that exist, and every one of them."""

import re
import unittest

import yaml

from chart import CHART
from test_table import TABLE

PAGE = CHART.parent.parent / "docs" / "install.md"
WORKLOADS = ["collectorDs", "collectorMisc", "publisherDs", "backend"]


class Documentation(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.text = PAGE.read_text(encoding="utf-8")
        cls.values = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))

    def rows(self):
        """The values in the table, with each workload in the place of WORKLOAD."""
        section = self.text.split("\n## Values\n")[1].split("\n## ")[0]
        for line in section.splitlines():
            for name in re.findall(r"`([A-Za-z.]+)`", line.split("|")[1]) if line.startswith("| `") else []:
                yield from [name.replace("WORKLOAD", workload) for workload in WORKLOADS] if "WORKLOAD" in name else [name]

    def test_every_value_is_in_the_table(self):
        rows = set(self.rows())
        for path in leaves(self.values):
            above = {".".join(path[:length]) for length in range(1, len(path) + 1)}
            self.assertTrue(above & rows, f"{'.'.join(path)} is not in the table of {PAGE.name}")

    def test_every_row_of_the_table_is_a_value(self):
        for row in self.rows():
            if row == "backend.seLinuxOptions":
                continue  # "not for the backend"
            value = self.values
            for key in row.split("."):
                self.assertIn(key, value, row)
                value = value[key]

    def test_the_first_table_holds_the_limits(self):
        for name, (kind, capabilities, memory, cpu) in TABLE.items():
            (line,) = [line for line in self.text.splitlines() if line.startswith(f"| {name} |")]
            for part in [kind, memory, cpu, *capabilities]:
                self.assertIn(part, line)


def leaves(value, path=()):
    if isinstance(value, dict) and value and path[-1:] not in (("affinity",), ("nodeSelector",)):
        for key, inner in value.items():
            yield from leaves(inner, (*path, key))
    else:
        yield path
