#!/usr/bin/python3
"""The commands of README.md, docs/deploy-tool.md, docs/operating.md and docs/eraft/operations.md work, in their order, for who types them (S35)."""
import os
import pathlib
import re
import subprocess
import unittest

import rig
from casd_rig import free_port

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
GUIDE = ROOT / "docs" / "deploy-tool.md"


def blocks(path):
    """The ```sh blocks of a page, each with its line."""
    text = path.read_text()
    return [(text[:match.start()].count("\n") + 1, match.group(1))
            for match in re.finditer(r"^```sh\n(.*?)^```$", text, re.M | re.S)]


class DocsCommands(unittest.TestCase):
    def run_page(self, path, programs=("deploy-tool",), extra=None):
        folder = rig.scratch("slipway-docs-")
        self.addCleanup(rig.remove_tree, folder)
        (folder / "home").mkdir()
        (folder / "bin").mkdir()
        (folder / "work").mkdir()
        for program in programs:
            os.symlink(rig.BUILD / "bin" / program, folder / "bin" / program)
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("DEPLOY_TOOL", "ZAKO", "ERAFT"))} | (extra or {})
        environment.update(PATH=f"{folder}/bin:{os.environ['PATH']}", HOME=str(folder / "home"), NO_COLOR="1")
        found = blocks(path)
        self.assertTrue(found)
        # One shell for all, as one person has; the last line that was begun is in the output.
        script = "".join(f"echo '## line {line}'\n{text}" for line, text in found)
        done = subprocess.run(["bash", "-eu", "-o", "pipefail", "-v"], input=script, cwd=folder / "work",
                              env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=200, check=False)
        self.assertEqual(done.returncode, 0, f"{path.name}: {done.stdout[-3000:]}")
        return done.stdout

    def test_commands_of_the_readme(self):  # D5, S35
        self.assertIn("weights, version 1", self.run_page(ROOT / "README.md", ("deploy-tool", "zako", "zako-casd")))

    @unittest.skipUnless((rig.BUILD / "bin" / "kvserver").exists(), "kvserver is not built")
    def test_terminals_of_the_readme(self):  # E1, E3, E6, E169, S35
        """Every line of its blocks about kvserver as it stands there, but for the ports; each server in a terminal."""
        lines = re.findall(r"^(?:kvserver|kvclient|eraftctl) .*$", (ROOT / "README.md").read_text(), re.M)
        ports = {str(port): str(free_port()) for port in range(5001, 5005)}
        lines = [re.sub(r"(?<=localhost:)500\d", lambda match: ports[match.group()], line) for line in lines]
        folder = rig.scratch("slipway-docs-")
        self.addCleanup(rig.remove_tree, folder)
        environment = {k: v for k, v in os.environ.items() if not k.startswith("ERAFT")}
        environment.update(PATH=f"{rig.BUILD / 'bin'}:{os.environ['PATH']}", NO_COLOR="1")

        def terminal(line):
            # Its health port is another one than that of the README, which somebody may have.
            words = line if "--http-listen" in line else f"{line} --http-listen off"
            with open(folder / "servers.log", "ab") as log:
                server = subprocess.Popen(["bash", "-c", f"exec {words}"], cwd=folder, env=environment,
                                          stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            self.addCleanup(server.wait)
            self.addCleanup(server.kill)
            return server

        def typed(line):
            done = subprocess.run(["bash", "-c", line], cwd=folder, env=environment, text=True, timeout=rig.PATIENCE,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
            self.assertEqual(done.returncode, 0, f"{line}: {done.stdout} {(folder / 'servers.log').read_text()[-3000:]}")
            return done.stdout

        servers = [line for line in lines if line.startswith("kvserver")]
        put, append, get, status = (line for line in lines if line.startswith("kvclient"))
        add, remove, members, doctor = (line for line in lines if line.startswith("eraftctl"))
        running = [terminal(line) for line in servers[:3]]
        self.assertIn("success", typed(put))
        self.assertIn("success", typed(append))
        self.assertIn("Get(greeting) -> hello you", typed(get))
        rig.eventually(lambda: "Leader" in typed(status) and "Offline" not in typed(status), "all are there")
        for index in range(3):  # any one of them
            running[index].kill()
            running[index].wait()
            self.assertIn("Get(greeting) -> hello you", typed(get))
            running[index] = terminal(servers[index])
            rig.eventually(lambda: "Offline" not in typed(status), "it is back")
        terminal(servers[3])
        typed(add)
        all_of_them = "-addrs " + ",".join(f"localhost:{port}" for port in ports.values())

        def works(line):
            return subprocess.run(["bash", "-c", line], cwd=folder, env=environment, timeout=rig.PATIENCE, check=False,
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0

        def first_leads():
            works(f"eraftctl transfer 1 {all_of_them}")
            return re.search(r"^ +1 .* leader ", typed(f"eraftctl member list {all_of_them}"), re.M)
        rig.eventually(first_leads, "the one that goes leads")  # the hardest of the cases
        typed(remove)
        self.assertEqual(len(re.findall(r"localhost:\d+", typed(members))), 3)
        rig.eventually(lambda: works(doctor), "the new one reaches all")  # those who did not know it yet refused it
        self.assertIn("Get(greeting) -> hello you", typed(get.replace(ports["5001"], ports["5004"])))

    @unittest.skipUnless((rig.BUILD / "bin" / "zako-casd").exists(), "zako-casd is not built")
    def test_commands_for_operators_of_servers(self):  # S35, Z40
        out = self.run_page(ROOT / "docs" / "operating.md", ("zako", "zako-casd"),
                            {"CAS_LISTEN": "localhost:0", "HTTP_LISTEN": "localhost:0"})
        for words in ("config ok", "[+] storage ok", '"msg":"drained"', "changed TLS files are in force",
                      "zako_tls_reload_failures_total 1"):
            self.assertIn(words, out)

    @unittest.skipUnless((rig.BUILD / "bin" / "kvserver").exists(), "kvserver is not built")
    def test_commands_for_operators_of_kvserver(self):  # S35, E40, E429
        addresses = {f"NODE_{name}": f"localhost:{free_port()}" for name in "ABCD"}
        out = self.run_page(ROOT / "docs" / "eraft" / "operations.md", ("kvserver", "kvclient", "eraftctl"), addresses)
        for words in ("config ok", "whole: cluster", "their data is that of the backup", "new cluster", "no alarms",
                      "Get(greeting) -> hello again", "is the only member now"):
            self.assertIn(words, out)

    def test_commands_of_the_guide(self):  # D5, S35
        out = self.run_page(GUIDE)
        for words in ("model:1.0.0 installed from local", "would be installed", "all links are ok", "nothing to recover",
                      "config ok:", "excluded  1 entry by *.tmp"):
            self.assertIn(words, out)

    def test_table_of_the_configuration_is_the_program_s(self):  # D5, D38
        table = subprocess.run([rig.TOOL, "config", "show", "--table"], capture_output=True, text=True, check=True,
                               env={**os.environ, "DEPLOY_TOOL_PROJECT_ROOT": ""}, cwd="/").stdout
        self.assertIn(table.strip(), GUIDE.read_text(), "docs/deploy-tool.md: print the table again with config show --table")

    def test_every_error_that_tests_have_seen_is_explained(self):  # D108, D204
        seen = set()
        for path in (ROOT / "tests/e2e/bad_input").glob("*.txt"):
            seen |= set(re.findall(r"^error\[(DT\d{3})\]", path.read_text(), re.M))
        explained = set(re.findall(r"^\| (DT\d{3}) \|", GUIDE.read_text(), re.M))
        self.assertEqual(seen - explained, set())

    def test_every_command_and_option_in_the_guide_exists(self):  # S35
        helps = {}
        def known(path):
            if path not in helps:
                done = subprocess.run([rig.TOOL, *path, "--help"], capture_output=True, text=True, check=False)
                helps[path] = done.stdout if done.returncode == 0 else ""
            return helps[path]
        options = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", GUIDE.read_text()))
        said = known(())
        for first in re.findall(r"^  ([a-z]+)  ", said.split("Commands:")[1].split("\n\n")[0], re.M):
            text = known((first,))
            said += text
            if "\nCommands:" in text:
                for second in re.findall(r"^  ([a-z]+)  ", text.split("Commands:")[1].split("\n\n")[0], re.M):
                    said += known((first, second))
        there = set(re.findall(r"--[a-z][a-z-]+", re.sub(r"--\[no-\]([a-z-]+)", r"--\1 --no-\1", said)))
        self.assertEqual(options - there, set())


if __name__ == "__main__":
    rig.main()
