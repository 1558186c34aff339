"""Runs the tests of a folder (test_*.py) and closes with their count: run.py FOLDER"""

import sys
import time
import unittest


class Result(unittest.TextTestResult):
    """Counts a test once, whatever its subtests did."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.unsuccessful = set()

    def addFailure(self, test, error):
        super().addFailure(test, error)
        self.unsuccessful.add(test.id())

    def addError(self, test, error):
        super().addError(test, error)
        self.unsuccessful.add(test.id())

    def addSubTest(self, test, subtest, error):
        super().addSubTest(test, subtest, error)
        if error is not None:
            self.unsuccessful.add(test.id())


def main():
    sys.dont_write_bytecode = True
    suite = unittest.defaultTestLoader.discover(sys.argv[1], pattern="test_*.py")
    begin = time.monotonic()
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2, resultclass=Result).run(suite)
    skipped, failed = len(result.skipped), len(result.unsuccessful)
    # Where a module's set-up fails, its tests don't run and aren't counted.
    passed = max(0, result.testsRun - skipped - failed)
    print(f"{time.monotonic() - begin:.1f} s")
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed or passed == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
