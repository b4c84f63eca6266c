#!/usr/bin/python3
"""Bad input: what is said, what is left with, and that nothing is half done (D12, D38, D133, D135, D204)."""
import os
import pathlib
import re
import shlex
import subprocess
import unittest

import rig
import rows

HERE = pathlib.Path(__file__).resolve().parent / "bad_input"


class BadInput(rows.RowsTest):
    """Each file is a table: command, stdout, stderr, exit code; the trees must stay as they were."""

    def test_command_line(self):  # D100, D133, D204, S32
        self.run_file(HERE / "command_line.txt")

    def test_configuration(self):  # D38, D39, D105, D132
        self.run_file(HERE / "configuration.txt")

    def test_pack(self):  # D10, D12, D16, D141
        self.run_file(HERE / "pack.txt")

    def test_publish(self):  # D14, D18, D19
        self.run_file(HERE / "publish.txt")

    def test_deploy(self):  # D23, D26, D28, D123, D190, D191
        self.run_file(HERE / "deploy.txt")

    def test_versions_and_links(self):  # D30, D31, D35, D36, D37, D174, D177
        self.run_file(HERE / "versions.txt")

    def test_deploy_roots(self):  # D20, D24, D290
        self.run_file(HERE / "roots.txt")

    def test_permissions(self):  # D12, D44
        self.run_file(HERE / "permissions.txt", plain=True)

    def test_there_are_enough_rows_and_each_has_a_name(self):
        tables = [rows.read_rows(path) for path in HERE.glob("*.txt")]
        self.assertGreaterEqual(sum(map(len, tables)), 80)
        for table in tables:
            self.assertEqual(len({row.name for row in table}), len(table))


def commands():
    """All commands, as the program's own help lists them."""
    def words(*path):
        text = subprocess.run([rig.TOOL, *path, "--help"], capture_output=True, text=True, check=True).stdout
        listed = re.search(r"^Commands:\n((?:  \S.*\n(?:   .*\n)*)+)", text, re.M)
        return re.findall(r"^  (\S+)", listed.group(1), re.M) if listed else []

    found = []
    for word in words():
        inner = words(word)
        found += [(word, second) for second in inner] if inner else [(word,)]
    return found


class EveryCommand(unittest.TestCase):
    """D133: bare, with --help, with nonsense; never a crash, always an answer."""

    EXITS = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}  # spec 6.12

    def setUp(self):
        self.folder = rig.scratch("slipway-every-")
        self.addCleanup(rig.remove_tree, self.folder)

    def run_tool(self, *arguments):
        environment = {**os.environ, "HOME": str(self.folder), "NO_COLOR": "1", "DEPLOY_TOOL__DEPLOY__ALLOW_ROOT": "true",
                       "DEPLOY_TOOL__DEPLOY__ROOT": str(self.folder / "root")}
        return subprocess.run([rig.TOOL, *arguments], cwd=self.folder, env=environment, text=True,
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=30, check=False)

    def test_all_are_found(self):
        names = {" ".join(command) for command in commands()}
        self.assertLessEqual({"init", "pack", "publish", "deploy", "rollback", "recover", "status", "history", "paths",
                              "version list", "version switch", "version verify", "links list", "links verify",
                              "links repair", "generation list", "component list", "component show", "release list",
                              "release show", "release create", "config show", "config validate", "completion"},
                             names)

    def test_bare_it_works_or_says_what_is_missing(self):  # D133, D135
        for command in commands():
            with self.subTest(command=command):
                done = self.run_tool(*command)
                self.assertIn(done.returncode, self.EXITS, done)
                if done.returncode:
                    self.assertRegex(done.stderr, r"\Aerror\[DT\d{3}\]: .+\n  hint: .+\n")
                    self.assertEqual(done.stdout, "")

    def test_help_begins_with_examples_that_name_the_command(self):  # D133, D203, S32
        for command in [(), *commands()]:
            with self.subTest(command=command):
                done = self.run_tool(*command, "--help")
                self.assertEqual((done.returncode, done.stderr), (0, ""))
                lines = done.stdout.split("\n")
                self.assertTrue(lines[0].startswith(" ".join(("deploy-tool", *command)) + " - "), lines[0])
                self.assertEqual(lines[2], "Examples:")
                example = next(line for line in lines[3:] if not line.startswith("  #"))
                self.assertIn(" ".join(("deploy-tool", *command)), example)
                self.assertLessEqual(max(map(len, lines)), 80)
                self.assertEqual(self.run_tool("help", *command).stdout, done.stdout)

    def test_nonsense_is_refused_before_anything_is_done(self):  # D133, D135
        for command in commands():
            for nonsense in (("--no-such-option",), ("a", "b", "c", "d", "--limit", "x"), ("--json", "--no-such-option")):
                if command == ("help",) and nonsense[0] == "a":
                    continue
                with self.subTest(command=command, nonsense=nonsense):
                    done = self.run_tool(*command, *nonsense)
                    self.assertEqual(done.returncode, 2, done)
                    self.assertIn("DT001" if nonsense[0] != "--json" else '"code":"DT001"', done.stderr + done.stdout)
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_version_is_printed(self):  # D133
        done = self.run_tool("--version")
        self.assertEqual(done.returncode, 0)
        self.assertRegex(done.stdout, r"\Adeploy-tool \d+\.\d+\.\d+\S*\n\Z")

    def test_examples_of_the_help_parse(self):  # S35
        for command in commands():
            text = self.run_tool(*command, "--help").stdout
            for line in re.findall(r"^  (deploy-tool .+)$", text.split("Usage:")[0], re.M):
                with self.subTest(example=line):
                    done = self.run_tool(*shlex.split(line.split(" | ")[0])[1:], "--dry-run")
                    self.assertNotIn("error[DT001]", done.stderr)
                    self.assertNotIn("unknown", done.stderr)


if __name__ == "__main__":
    rig.main()
