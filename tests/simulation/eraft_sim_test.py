#!/usr/bin/python3
"""eraft_sim as a program: its flags, its exit codes, commands that repeat a run, and traces that are the same in
every process (E200, E206)."""
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "e2e"))
import rig  # noqa: E402

BUILD = rig.BUILD.resolve()
PROGRAM = next((path for path in (BUILD / "bin" / "eraft_sim", BUILD / "bench" / "eraft_sim") if path.exists()), None)


def run(*arguments, environment=None):
    with tempfile.TemporaryDirectory() as folder:
        return subprocess.run([PROGRAM, *arguments], cwd=folder, env=environment, capture_output=True, text=True,
                              timeout=100, check=False)


def trace(*arguments, environment=None):
    result = run(*arguments, environment=environment)
    assert result.returncode == 0, result
    return re.search(r"^trace ([0-9a-f]{16})$", result.stdout, re.M).group(1)


class EraftSim(unittest.TestCase):
    def test_wrong_usage_is_told_with_exit_code_2(self):
        for arguments, wants in (
                (["--seed", "x"], "--seed x: it wants a number"),
                (["--seed", "--steps", "9"], "--seed --steps: it wants a number"),
                (["--seed"], "--seed: its value is missing"),
                (["--seeds", "0"], "a number from 1"),
                (["--steps", "0"], "a number from 1"),
                (["--shadow", "101"], "a number from 0 to 100"),
                (["--clients", "1000"], "a number from 1 to 999"),
                (["--faults", "1,x"], "numbers with commas"),
                (["--profile", "storm"], "it is one of calm, network"),
                (["--sed", "1"], "--sed: no such flag; see --help"),
                (["--sed"], "--sed: no such flag; see --help"),
                (["seven"], "seven: no such flag"),
                (["--trace=yes"], "--trace=yes: it stands alone"),
        ):
            result = run(*arguments)
            self.assertEqual((result.returncode, result.stdout), (2, ""), arguments)
            self.assertRegex(result.stderr, "^error: ")
            self.assertIn(wants, result.stderr)

    def test_help_names_every_flag(self):
        result = run("--help")
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        for flag in ("seed", "seeds", "steps", "profile", "clients", "faults", "mutant", "trace", "counts", "shadow",
                     "keep-going", "no-shrink", "drawing"):
            self.assertIn(f"\n  --{flag} ", result.stdout)
        self.assertLessEqual(max(map(len, result.stdout.splitlines())), 100)

    def test_a_seed_gives_one_trace_in_every_process(self):
        # The size of the environment moves the stack, each process has other addresses, and hash tables of absl
        # another order.
        moved = {"TZ": "Asia/Tokyo", "LANG": "C", "FILLER": "x" * 5000}
        for profile in ("mixed", "power", "membership", "corruption"):
            arguments = ("--seed", "5", "--steps", "5000", "--profile", profile)
            self.assertEqual(len({trace(*arguments), trace(*arguments), trace(*arguments, environment=moved)}), 1)

    def test_all_faults_by_number_are_the_same_run(self):
        # What a printed command does: it lists the faults that happened.
        whole = ("--seed", "11", "--steps", "5000", "--profile", "crash")
        self.assertEqual(trace(*whole), trace(*whole, "--faults", ",".join(map(str, range(500)))))
        self.assertNotEqual(trace(*whole), trace(*whole, "--faults=none"))

    def test_seeds_of_all_profiles_with_shadows_and_counts(self):
        result = run("--seeds", "10", "--steps", "3000", "--profile", "all", "--shadow", "100", "--counts")
        self.assertEqual(result.returncode, 0, result.stdout)
        self.assertRegex(result.stdout, r"(?m)^  runs( +2){10} +20$")
        self.assertIn("eraft_sim: 10 seeds, 0 failed, 10 shadow runs", result.stdout)
        for line in ("fault: power-loss-in-burst", "unsynced writes torn", "joint memberships", "frames overtaken"):
            self.assertRegex(result.stdout, rf"(?m)^  {line}( +[0-9.M]+){{11}}$")


if __name__ == "__main__":
    if PROGRAM is None:
        print("eraft_sim is not built here")
        sys.exit(77)
    rig.main()
