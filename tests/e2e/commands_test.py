#!/usr/bin/python3
"""What the commands do when all goes well: versions, links, plans, paths, what a terminal sees."""
import json
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import time

import rig
import rows


class Base(rows.RowsTest):
    """A copy of the template: model 1.0.0 and 1.1.0 published and installed, 1.1.0 current."""

    def setUp(self):
        self.at = self.copy(False)
        self.p = rig.Project.__new__(rig.Project)
        self.p.folder, self.p.project, self.p.home = self.at, self.at / "project", self.at / "home"
        self.p.root = self.at / "deployments"
        self.addCleanup(rig.remove_tree, self.at)

    def set_deploy(self, *lines):
        file = self.p.project / ".deploy-tool.yaml"
        file.write_text(rows.CONFIG.replace("deploy:\n", "deploy:\n" + "".join(f"  {line}\n" for line in lines), 1))

    def states(self):
        data = self.p.ok("links", "list", "--json").json()["data"]
        return {link["path"].replace(str(self.at), "@"): link["state"] for link in data["links"]}


class Versions(Base):
    def test_list_has_marks_sorted_by_precedence(self):  # D31
        for version in ("1.10.0", "1.9.0", "1.10.0-rc.1"):
            self.p.publish("model", version, {"v": version})
            self.p.ok("deploy", f"model:{version}", "--no-switch")
        versions = self.p.ok("version", "list", "model", "--json").json()["data"]["versions"]
        self.assertEqual([v["version"] for v in versions], ["1.10.0", "1.10.0-rc.1", "1.9.0", "1.1.0", "1.0.0"])
        self.assertEqual([v["version"] for v in versions if v["current"]], ["1.1.0"])
        self.assertEqual([v["version"] for v in versions if v["previous"]], ["1.0.0"])
        text = re.sub(r"\d{4}-\S+Z", "TIME", self.p.ok("version", "list", "model").out)
        self.assertEqual(text.splitlines()[0].split(), ["VERSION", "STATE", "DEPLOYED", "LAST", "ACTIVE", "SIZE", "FILES", "SOURCE"])
        self.assertEqual(text.splitlines()[4].split(), ["1.1.0", "current", "TIME", "TIME", "17B", "2", "local"])
        self.assertEqual(text.splitlines()[1].split(), ["1.10.0", "TIME", "-", "6B", "1", "local"])

    def test_available_adds_what_the_stores_have(self):  # D31
        self.p.write_source("source-model", {"v": "2"})
        self.p.ok("pack", "./source-model", "--type", "model", "--version", "2.0.0")
        self.p.ok("publish", "model:2.0.0", "--to", "backup", "--yes")
        listed = self.p.ok("version", "list", "model", "--available", "--json").json()["data"]["versions"]
        self.assertEqual([(v["version"], v["installed"], v["available"]) for v in listed],
                         [("2.0.0", False, ["backup"]), ("1.1.0", True, ["local", "backup"]),
                          ("1.0.0", True, ["local", "backup"])])
        first = self.p.ok("version", "list", "model", "--available", "--limit", "1").out.splitlines()[1]
        self.assertRegex(first, r"^2\.0\.0 +not installed .* backup$")
        self.assertEqual(self.p.run("version", "list", "nothing", "--available").code, 6)

    def test_switch_writes_history_and_is_nothing_the_second_time(self):  # D30
        self.p.ok("version", "switch", "model", "1.0.0", "--reason", "compare")
        self.assertEqual((self.p.root / "links/model/weights.bin").read_text(), "weights 1.0.0\n")
        entry = self.p.ok("history", "--limit", "1", "--json").json()["data"]["entries"][0]
        self.assertEqual((entry["operation"], entry["reason"], entry["changes"][0]["from"], entry["changes"][0]["to"]),
                         ("switch", "compare", "1.1.0", "1.0.0"))
        before = rig.tree(self.at)
        again = self.p.ok("version", "switch", "model", "1.0.0", "--json").json()["data"]
        self.assertEqual(([c["action"] for c in again["components"]], again["tx"]), (["already_current"], None))
        changed = {n for n, e in rig.tree(self.at).items() if before.get(n) != e}
        self.assertLessEqual(changed, {"deployments/.deploy-tool/lock", "deployments/.deploy-tool/locks/model.lock"})

    def test_switch_does_not_touch_the_versions(self):  # D3, D30
        inode = (self.p.root / "components/model/1.0.0/weights.bin").stat()
        self.p.ok("version", "switch", "model", "1.0.0")
        after = (self.p.root / "components/model/1.0.0/weights.bin").stat()
        self.assertEqual((after.st_ino, after.st_ctime_ns), (inode.st_ino, inode.st_ctime_ns))

    def test_rolling_back_twice_goes_back_twice_and_forward_undoes_it(self):  # D174
        self.p.publish("model", "1.2.0", {"v": "3"})
        self.p.ok("deploy", "model:1.2.0")
        seen = []
        for options in ((), (), ("--forward",), ("--forward",)):
            self.p.ok("rollback", "model", *options)
            seen.append(self.p.current("model"))
        self.assertEqual(seen, ["1.1.0", "1.0.0", "1.1.0", "1.2.0"])


class Links(Base):
    def test_every_state_is_told(self):  # D35
        root = self.p.root
        self.set_deploy("custom_links: {app/ok: links/model, app/missing: links/model, app/file: links/model, "
                        "app/wrong: links/model}", "create_parents: true")
        for kind in ("a", "b", "c"):
            self.p.publish(kind, "1.0.0", {"x": kind})
        app = self.p.project / "app"
        self.p.ok("deploy", "a:1.0.0", "b:1.0.0", "c:1.0.0")
        (app / "missing").unlink()
        (app / "file").unlink()
        (app / "file").write_text("x")
        (app / "wrong").unlink()
        os.symlink("/nowhere", app / "wrong")
        (root / "links/a").unlink()
        shutil.rmtree(root / "components/b/1.0.0")
        (root / "components/c/current").unlink()
        (root / "components/c/current").mkdir()
        os.symlink("../x", root / "links/old")
        states = self.states()
        self.assertEqual({states[k] for k in ("components/model/current", "links/model", "@/project/app/ok")}, {"ok"})
        self.assertEqual((states["links/a"], states["@/project/app/missing"]), ("missing", "missing"))
        self.assertEqual((states["components/b/current"], states["links/b"]), ("dangling", "dangling"))
        self.assertEqual((states["components/c/current"], states["@/project/app/file"]), ("not-a-link", "not-a-link"))
        self.assertEqual(states["@/project/app/wrong"], "wrong-target")
        self.assertEqual(states["links/old"], "foreign")
        verify = self.p.run("links", "verify")
        self.assertEqual(verify.code, 15)
        self.assertNotRegex(verify.out, r"(?m)^links/model ")

    def test_repair_puts_each_kind_right_and_guesses_nothing(self):  # D37
        root = self.p.root
        self.set_deploy("custom_links: {app: links/model}")
        self.p.ok("deploy", "model:1.1.0")
        for path, target in ((root / "links/model", "../components/model/1.0.0"), (self.p.project / "app", "/nowhere"),
                             (root / "active", "generations/1")):
            path.unlink()
            os.symlink(target, path)
        plan = self.p.ok("links", "repair", "--dry-run", "--json").json()["data"]
        self.assertEqual({link["path"].replace(str(self.at), "@") for link in plan["links"]} - {"active"},
                         {"links/model", "@/project/app"})
        self.p.ok("links", "repair", "--yes")
        self.p.ok("links", "verify")
        self.assertEqual(os.readlink(root / "links/model"), "../components/model/current")
        self.assertEqual((self.p.project / "app/weights.bin").read_text(), "weights 1.1.0\n")
        # A current that dangles goes to what worked before, though a higher version is installed.
        self.p.publish("model", "9.0.0", {"v": "never active"})
        self.p.ok("deploy", "model:9.0.0", "--no-switch")
        shutil.rmtree(root / "components/model/1.1.0")
        self.p.ok("links", "repair", "--yes")
        self.assertEqual(self.p.current("model"), "1.0.0")
        self.p.ok("links", "verify")

    def test_repair_takes_files_away_only_when_told(self):  # D37
        (self.p.root / "links/model").unlink()
        (self.p.root / "links/model").write_text("mine")
        self.assertEqual(self.p.run("links", "repair", "--yes").code, 15)
        self.assertEqual((self.p.root / "links/model").read_text(), "mine")
        self.p.ok("links", "repair", "--yes", "--adopt")
        self.p.ok("links", "verify")
        kept = list((self.p.root / "links").glob("model.bak-*"))
        self.assertEqual([path.read_text() for path in kept], ["mine"])

    def test_custom_links_are_made_replaced_and_adopted(self):  # D26
        self.set_deploy("custom_links: {run/deep/model: links/model, conf.json: links/model/bert/config.json}",
                        "create_parents: true")
        (self.p.project / "conf.json").write_text("mine")
        before = rig.tree(self.at, skip=("deployments/.deploy-tool",))
        self.assertEqual(self.p.run("deploy", "model:1.0.0").code, 7)
        self.assertEqual(rig.tree(self.at, skip=("deployments/.deploy-tool",)), before)
        self.p.ok("deploy", "model:1.0.0", "--adopt")
        self.assertEqual((self.p.project / "run/deep/model/weights.bin").read_text(), "weights 1.0.0\n")
        self.assertEqual((self.p.project / "conf.json").read_text(), "{}\n")
        self.assertEqual([p.read_text() for p in self.p.project.glob("conf.json.bak-*")], ["mine"])
        self.p.ok("deploy", "model:1.1.0")
        self.assertEqual((self.p.project / "run/deep/model/weights.bin").read_text(), "weights 1.1.0\n")
        self.assertEqual({s for s in self.states().values()}, {"ok"})

    def test_links_of_applications_can_be_switched_off(self):  # D20, 6.2
        self.set_deploy("links: {enabled: false}")
        self.p.ok("--root", self.at / "fresh", "deploy", "model:1.0.0")
        self.assertFalse(os.path.lexists(self.at / "fresh/links/model"))


class Plans(Base):
    def test_a_plan_changes_nothing(self):  # D181
        (self.p.project / "models/new").write_text("new")
        (self.p.root / "links/model").unlink()
        changing = (("init", self.at / "new"), ("pack", "--type", "model", "--version", "3.0.0"),
                    ("publish", "model:1.0.0"), ("publish", "model:1.0.0", "--release-version", "2024.01.20"),
                    ("release", "create", "model:1.0.0"), ("deploy", "model:1.0.0"), ("deploy", "model:1.1.0", "--force"),
                    ("deploy", "model:1.0.0", "--target", "staging"), ("version", "switch", "model", "1.0.0"),
                    ("rollback", "model"), ("rollback",), ("links", "repair"), ("recover",))
        before = rig.tree(self.at)
        for command in changing:
            with self.subTest(command=command):
                done = self.p.ok(*command, "--dry-run")
                self.assertTrue(done.out.strip(), "a plan says something")
                self.assertEqual(rig.tree(self.at), before)

    def test_a_plan_names_bytes_sources_and_links(self):  # D181
        out = self.p.ok("deploy", "model:1.0.0", "--target", "staging", "--dry-run").out
        self.assertRegex(out, r"model:1\.0\.0 would be installed")
        self.assertRegex(out, r"fetch model:1\.0\.0 from local \(\d+B\)")
        out = self.p.ok("version", "switch", "model", "1.0.0", "--dry-run").out
        self.assertIn("components/model/current -> 1.0.0", out)


class Paths(Base):
    def test_the_project_is_found_from_below_and_by_option_and_variable(self):  # D105
        expected = self.p.ok("paths", "--json").json()["data"]
        self.assertEqual(expected["project"], str(self.p.project))
        self.assertEqual(expected["deploy_root"], str(self.p.root))
        for options in ({"cwd": self.p.project / "models" / "bert"}, {"cwd": "/", "env": {
                "DEPLOY_TOOL_PROJECT_ROOT": str(self.p.project)}}):
            self.assertEqual(self.p.ok("paths", "--json", **options).json()["data"], expected)
        self.assertEqual(self.p.ok("-C", self.p.project, "paths", "--json", cwd="/").json()["data"], expected)
        self.assertEqual(self.p.ok("paths", "--resolve", "models/../dist").out, f"{self.p.project}/dist\n")

    def test_tree_and_config_show_where_things_lie(self):  # D105
        tree = self.p.ok("paths", "--tree").out.splitlines()
        self.assertEqual(tree[0], f"{self.p.project}/")
        self.assertIn("  ./dist/", tree)
        self.assertIn("      model-1.0.0.manifest.json", tree)
        keys = {v["key"]: v["origin"] for v in self.p.ok("paths", "--show-config", "--json").json()["data"]["values"]}
        self.assertRegex(keys["deploy.root"], r"\.deploy-tool\.yaml:\d+:\d+$")
        self.assertEqual(keys["paths.dist"], "default")

    def test_strength_of_default_file_environment_and_option(self):  # D39, DECISIONS 3
        def root(*options, **more):
            return self.p.ok(*options, "paths", "--json", **more).json()["data"]["deploy_root"]
        self.assertEqual(root(), str(self.p.root))
        self.assertEqual(root("--env", "prod"), str(self.at / "prod"))
        self.assertEqual(root(env={"DEPLOY_TOOL__DEPLOY__ROOT": "/by/variable"}), "/by/variable")
        opened = self.p.run("--root", self.at / "by-option", "status", env={"DEPLOY_TOOL__DEPLOY__ROOT": "/by/variable"})
        self.assertIn("by-option", opened.err)


class Interrupts(Base):
    def test_ctrl_c_leaves_with_130_and_sigterm_with_143_and_nothing_half_done(self):  # D12, D108
        with open(self.p.project / "models/big", "wb") as file:
            for _ in range(24):
                file.write(os.urandom(1 << 20))
        before = rig.tree(self.at)
        for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
            # Level 19 over all of it takes seconds; the first event says that the work has begun.
            with subprocess.Popen([rig.TOOL, "pack", "--type", "model", "--version", "5.0.0", "--compress", "zstd",
                                   "--level", "19", "--compress-all", "--progress", "json"], cwd=self.p.project,
                                  env=self.p.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as running:
                first = running.stderr.readline()
                running.send_signal(number)
                rest = running.stderr.read().decode()
            self.assertIn(b'"progress"', first)
            self.assertEqual(running.returncode, code, rest)
            self.assertIn("error[DT026]", rest)
            self.assertEqual(rig.tree(self.at), before)


class Terminal(Base):
    """D200: bars, colour and questions on a terminal only."""

    def on_terminal(self, *arguments, answer=b"", env=None):
        """Runs with a terminal 60 columns wide for all three streams; what appeared, and the exit code."""
        try:
            master, slave = pty.openpty()
        except OSError as error:
            self.skipTest(f"the system has no pseudo terminals: {error}")
        os.set_inheritable(slave, True)
        environment = self.p.environment({"TERM": "xterm", "COLUMNS": "60", **(env or {})})
        if env is None:
            environment.pop("NO_COLOR")
        with subprocess.Popen([rig.TOOL, *map(str, arguments)], cwd=self.p.project, env=environment, stdin=slave,
                              stdout=slave, stderr=slave, close_fds=True) as running:
            os.close(slave)
            seen, sent, until = b"", False, time.monotonic() + 20
            while time.monotonic() < until:
                ready, _, _ = select.select([master], [], [], 0.1)
                if ready:
                    try:
                        part = os.read(master, 65536)
                    except OSError:
                        break
                    if not part:
                        break
                    seen += part
                if answer and not sent and b"?" in seen:
                    os.write(master, answer)
                    sent = True
        os.close(master)
        return seen.decode("utf-8", "replace"), running.returncode

    def test_questions_are_asked_and_no_is_respected(self):  # 6.1, S32
        (self.p.root / "links/model").unlink()
        seen, code = self.on_terminal("links", "repair", answer=b"n\n")
        self.assertRegex(seen, r"repair 1 link")
        self.assertNotEqual(code, 0)
        self.assertFalse(os.path.lexists(self.p.root / "links/model"))
        _, code = self.on_terminal("links", "repair", answer=b"y\n")
        self.assertEqual(code, 0)
        self.assertTrue(os.path.lexists(self.p.root / "links/model"))

    def test_colour_only_where_it_is_wanted(self):  # D200
        coloured, _ = self.on_terminal("version", "list", "model")
        self.assertIn("\x1b[", coloured)
        plain, _ = self.on_terminal("version", "list", "model", env={"NO_COLOR": "1"})
        self.assertNotIn("\x1b[3", plain)
        self.assertNotIn("\x1b", self.p.ok("version", "list", "model").out)
        self.assertNotIn("\x1b", self.p.run("version", "list", "nothing").err)

    def test_piped_progress_is_plain_lines_and_quiet_has_none(self):  # D200
        done = self.p.ok("pack", "--type", "model", "--version", "4.0.0")
        self.assertRegex(done.err, r"\Apack model:4\.0\.0\npack model:4\.0\.0: .*\n")
        self.assertNotIn("\r", done.err)
        self.assertEqual(self.p.ok("-q", "pack", "--type", "model", "--version", "4.0.1").err, "")

    def test_names_of_double_width_keep_the_columns(self):  # D200
        self.p.ok("publish", "model:1.0.0", "--release-version", "2024.01.20", "--release-name", "模型发布")
        self.p.ok("publish", "model:1.0.0", "--release-version", "2024.01.21", "--release-name", "abcdefgh")
        lines = self.p.ok("release", "list").out.splitlines()
        column = lines[0].index("COMPONENTS")
        for line in lines[1:]:
            width = 0
            for character in line[:line.index("model:1.0.0")]:
                width += 2 if ord(character) > 0x2E80 else 1
            self.assertEqual(width, column, line)

    def test_control_characters_never_reach_the_terminal(self):  # D193
        self.p.ok("deploy", "model:1.0.0", "--reason", "red \x1b[31m alert")
        self.assertNotIn("\x1b", self.p.ok("history").out)
        self.assertEqual(json.loads(self.p.ok("history", "--json").out)["data"]["entries"][0]["reason"], "red \x1b[31m alert")


if __name__ == "__main__":
    rig.main()
