#!/usr/bin/python3
"""Short forms of eraft_chaos: real nodes, real faults, histories judged (E402, E404, E409, E416)."""
import json
import os
import pathlib
import subprocess
import tempfile
import unittest

import rig

BUILD = rig.BUILD.resolve()
PROGRAM = next((path for path in (BUILD / "bin" / "eraft_chaos", BUILD / "bench" / "eraft_chaos") if path.exists()),
               BUILD / "bin" / "eraft_chaos")


def run(*arguments, timeout=100):
    done = subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, timeout=timeout, check=False,
                          stdin=subprocess.DEVNULL, text=True)
    return rig.Result([str(PROGRAM), *map(str, arguments)], done.returncode, done.stdout, done.stderr)


def processes_naming(text):
    """Command lines of this machine's processes that contain a text."""
    found = []
    for place in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = place.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if text in words:
            found.append(words)
    return found


class Scenarios(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="slipway-chaos-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def scenario(self, *arguments):
        """The result of a run that passed; skips with the reason where it cannot run."""
        done = run("run", *arguments, "--json", "--clients", 8, "--dir", self.folder)
        self.assertEqual(done.code, 0, done)
        result = json.loads(done.out)
        self.assertEqual(processes_naming(self.folder), [])
        if result["result"] == "skipped":
            self.skipTest(result["reason"])
        self.assertEqual(result["result"], "passed", done)
        self.assertEqual((result["illegal_keys"], result["equal_replicas"]), (0, 3), done)
        self.assertGreater(result["answered"], 0, done)
        return result


class ChaosTest(Scenarios):
    def test_kills(self):  # E402
        self.assertGreaterEqual(self.scenario("kills", "--duration", "3s", "--seed", 1)["faults"]["kill"], 2)

    def test_a_failed_sync(self):  # E409
        self.assertEqual(self.scenario("eio", "--count", 1, "--seed", 1)["faults"], {"EIO of the leader": 1})

    def test_a_lost_disk(self):  # E416
        self.assertEqual(self.scenario("lost-disk", "--count", 1, "--seed", 1)["faults"],
                         {"lost disk": 1, "taken in again by itself": 1})


class PowerTest(Scenarios):
    """Skips where nobody may mount: expected_skips.txt."""

    def test_power_cuts(self):  # E404
        faults = self.scenario("power", "--count", 3, "--seed", 1)["faults"]
        self.assertEqual(faults["cut of all"], 1)
        self.assertEqual(sum(faults.values()), 3)


class ProgramTest(unittest.TestCase):
    def test_names_its_scenarios(self):
        listed = json.loads(run("list", "--json").out)
        self.assertLessEqual({"E402", "E404", "E405", "E408", "E409", "E410", "E411", "E412", "E413", "E414", "E415",
                              "E416", "E422"}, {row["id"] for row in listed})

    def test_says_what_the_machine_offers(self):  # 5.1
        rows = {row["mechanism"]: row for row in json.loads(run("probe", "--json").out)}
        self.assertEqual(rows["root"]["works"], os.geteuid() == 0)
        self.assertTrue(rows["SIGKILL, SIGSTOP"]["works"])
        self.assertTrue(all(row["works"] or row["why_not"] for row in rows.values()))

    def test_an_unknown_scenario_is_a_mistake_of_usage(self):
        done = run("run", "storm")
        self.assertNotEqual(done.code, 0)
        self.assertIn("no such scenario", done.err)


if __name__ == "__main__":
    rig.main()
