#!/usr/bin/python3
"""The first minutes with deploy-tool: four commands with defaults only, what they leave, the scenarios."""
import fcntl
import json
import os
import pathlib
import shutil
import stat
import unittest

import rig

MODEL = {"bert/config.json": '{"layers": 12}\n', "weights.bin": b"\x00\x01" * 4096, "empty/.keep": ""}


def inodes(folder):
    """Every entry below `folder` with what changes when it is touched, replaced or relinked."""
    found = {}
    for path in [pathlib.Path(folder), *pathlib.Path(folder).rglob("*")]:
        status = path.lstat()
        found[str(path.relative_to(folder))] = (status.st_ino, status.st_mode, status.st_mtime_ns, status.st_ctime_ns)
    return found


class QuickStart(unittest.TestCase):
    """From an empty directory, with no option that has a default."""

    def setUp(self):
        folder = rig.scratch("slipway-e2e-")
        self.addCleanup(rig.remove_tree, folder)
        self.p = rig.Project(folder)
        (self.p.project / ".deploy-tool.yaml").unlink()

    def start(self):
        self.p.ok("init")
        self.p.write_source("models", MODEL)
        self.p.ok("pack", "./models", "--type", "model", "--version", "1.0.0")
        self.p.ok("publish", "model:1.0.0")
        return self.p.ok("deploy", "model:1.0.0")

    def test_four_commands_from_an_empty_directory_to_a_deployed_model(self):  # D5, D56
        self.start()
        seen = self.p.project / "deployments" / "links" / "model"
        for name, content in MODEL.items():
            expected = content if isinstance(content, bytes) else content.encode()
            self.assertEqual((seen / name).read_bytes(), expected)

    def test_four_commands_leave_these_files(self):  # D6, D17, D100
        self.start()
        names = [name for name in rig.tree(self.p.project)
                 if not name.startswith(("deployments/", "models/"))]
        self.assertEqual(names, [
            ".deploy-tool.yaml", ".gitignore", "deployment", "deployment/manifests",
            "deployment/manifests/model-1.0.0.manifest.json", "deployment/package-configs", "deployment/publish",
            "deployment/publish/.lock", "deployment/publish/model-1.0.0.publish.json", "deployment/releases",
            "deployments", "dist", "dist/.lock", "dist/model-1.0.0.files.zst",
            "dist/model-1.0.0.pieces", "dist/model-1.0.0.tar.gz", "models", "packages", "packages/model", "packages/model/1.0.0",
            "packages/model/1.0.0/model-1.0.0.files.zst", "packages/model/1.0.0/model-1.0.0.manifest.json",
            "packages/model/1.0.0/model-1.0.0.pieces", "packages/model/1.0.0/model-1.0.0.publish.json",
            "packages/model/1.0.0/model-1.0.0.tar.gz", "src"])

    def test_deploy_root_has_exactly_this_layout(self):  # D20
        self.start()
        root = self.p.project / "deployments"
        tree = rig.tree(root, skip=(".deploy-tool",))
        links = {name: entry[2] for name, entry in tree.items() if entry[0] == "l"}
        self.assertEqual(links, {"active": "generations/1", "components/model/current": "1.0.0",
                                 "generations/1/model": "../../components/model/1.0.0",
                                 "links/model": "../components/model/current"})
        files = {name: entry[0] for name, entry in tree.items() if entry[0] != "l"}
        version = "components/model/1.0.0"
        self.assertEqual(files, {
            "components": "d", "components/model": "d", version: "d", f"{version}/bert": "d",
            f"{version}/bert/config.json": "f", f"{version}/empty": "d", f"{version}/empty/.keep": "f",
            f"{version}/weights.bin": "f", "generations": "d", "generations/1": "d", "links": "d"})
        self.assertEqual(json.loads((root / ".deploy-tool" / "root.json").read_text())["format"], 1)

    def test_defaults_are_printed_and_are_what_an_empty_project_has(self):  # D5, D38
        defaults = self.p.ok("config", "show", "--defaults").out
        for line in ("  compression:\n    algorithm: gzip\n    level: 6\n", "  root: /opt/deployments\n",
                     "  dist: ./dist\n", "  durability: full\n", "  atomic: true\n", "  mtime: source\n"):
            self.assertIn(line, defaults)
        (self.p.project / ".deploy-tool.yaml").write_text("")
        self.assertEqual(self.p.ok("config", "show").out, defaults)

    def test_what_init_writes_is_valid_and_stays_as_it_is(self):  # D5, D100
        self.p.ok("init", "--name", "a: \"b\" #c", "--type", "service", "--description", "über\ttab")
        self.p.ok("config", "validate")
        values = {v["key"]: v["value"] for v in self.p.ok("config", "show", "--json").json()["data"]["values"]}
        self.assertEqual(values["project.type"], "service")
        self.assertEqual(values["deploy.root"], "./deployments")
        before = rig.tree(self.p.project)
        again = self.p.run("init", "--yes", "--force")
        self.assertEqual(again.code, 7, str(again))
        self.assertEqual(rig.tree(self.p.project), before)

    def test_deploy_again_works_from_what_is_installed(self):  # D21
        self.start()
        self.p.write_source("models", {**MODEL, "weights.bin": b"\x02" * 100})
        self.p.ok("pack", "./models", "--type", "model", "--version", "1.1.0")
        self.p.ok("publish", "model:1.1.0")
        self.p.ok("deploy", "model:1.1.0")
        shutil.rmtree(self.p.project / "packages")
        root = self.p.project / "deployments"
        before = rig.tree(root)
        again = self.p.ok("deploy", "model:1.1.0", "--json").json()["data"]
        self.assertEqual([c["action"] for c in again["components"]], ["already_current"])
        self.assertEqual(rig.tree(root), before)
        back = self.p.ok("deploy", "model:1.0.0", "--json").json()["data"]["components"][0]
        self.assertEqual((back["action"], back["bytes_fetched"]), ("switched", 0))
        self.assertEqual((root / "links/model/weights.bin").read_bytes(), MODEL["weights.bin"])

    def test_install_again_takes_the_package_from_the_cache(self):  # D21, D23
        self.start()
        shutil.rmtree(self.p.project / "packages")
        (self.p.project / "deployments/components/model/1.0.0/weights.bin").write_bytes(b"damaged")
        again = self.p.ok("deploy", "model:1.0.0", "--force", "--json").json()["data"]["components"][0]
        self.assertEqual((again["cache"], again["bytes_fetched"]), ("hit", 0))
        self.assertEqual((self.p.project / "deployments/links/model/weights.bin").read_bytes(), MODEL["weights.bin"])


class Scenarios(rig.ProjectTest):
    """D56: a first deployment of three components, the update of one, an emergency."""

    KINDS = ("model", "config", "runtime")

    def first(self):
        for kind in self.KINDS:
            self.p.publish(kind, "1.0.0", {f"{kind}.txt": f"{kind} 1", "deep/er/file": "same"})
        return self.p.ok("deploy", *(f"{kind}:1.0.0" for kind in self.KINDS), "--json").json()["data"]

    def test_first_deployment_of_three_components(self):  # D28, D56
        data = self.first()
        self.assertEqual([c["action"] for c in data["components"]], ["installed"] * 3)
        self.assertEqual(data["generation"], 1)
        for kind in self.KINDS:
            self.assertEqual(self.p.current(kind), "1.0.0")
            self.assertEqual((self.p.root / "links" / kind / f"{kind}.txt").read_text(), f"{kind} 1")
            self.assertEqual((self.p.root / "active" / kind / f"{kind}.txt").read_text(), f"{kind} 1")

    def test_update_of_one_leaves_the_others_untouched(self):  # D1, D56
        self.first()
        others = [self.p.root / "components" / kind for kind in ("config", "runtime")]
        others += [self.p.root / ".deploy-tool" / "manifests" / kind for kind in ("config", "runtime")]
        state = [self.p.root / ".deploy-tool" / "state" / f"{kind}.json" for kind in ("config", "runtime")]
        before = [inodes(folder) for folder in others] + [p.stat().st_ino for p in state]
        links = [os.lstat(self.p.root / "links" / kind).st_ino for kind in ("config", "runtime")]
        self.p.publish("model", "1.0.1", {"model.txt": "model 2"})
        self.p.ok("deploy", "model:1.0.1")
        self.assertEqual((self.p.root / "links/model/model.txt").read_text(), "model 2")
        self.assertEqual([inodes(folder) for folder in others] + [p.stat().st_ino for p in state], before)
        self.assertEqual([os.lstat(self.p.root / "links" / kind).st_ino for kind in ("config", "runtime")], links)

    def test_emergency_rollback(self):  # D30, D56, D174
        self.first()
        self.p.publish("model", "1.0.1", {"model.txt": "broken"})
        self.p.ok("deploy", "model:1.0.1")
        shutil.rmtree(self.p.store("local"))
        shutil.rmtree(self.p.store("backup"))
        self.p.ok("rollback", "model", "--yes", "--reason", "wrong answers")
        self.assertEqual((self.p.root / "links/model/model.txt").read_text(), "model 1")
        last = self.p.ok("history", "model", "--limit", "1", "--json").json()["data"]["entries"][0]
        self.assertEqual((last["operation"], last["reason"]), ("rollback", "wrong answers"))

    def test_a_type_is_deployed_while_another_is_locked(self):  # D1, D177
        self.first()
        self.p.publish("model", "1.0.1", {"model.txt": "model 2"})
        config = self.p.root / "components" / "config"
        before = inodes(config)
        with open(self.p.root / ".deploy-tool" / "locks" / "config.lock", "rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self.p.ok("deploy", "model:1.0.1")
            self.assertExit(self.p.run("deploy", "config:1.0.0", "--force"), 11)
        self.assertEqual(self.p.current("model"), "1.0.1")
        self.assertEqual(inodes(config), before)

    def test_failing_one_type_leaves_the_others(self):  # D1, D28
        self.first()
        before = rig.tree(self.p.root, skip=(".deploy-tool/cache", ".deploy-tool/bad", ".deploy-tool/locks"))
        for kind in self.KINDS:
            self.p.publish(kind, "2.0.0", {f"{kind}.txt": f"{kind} 2" * 50})
        for store in ("local", "backup"):
            package = self.p.store(store) / "runtime/2.0.0/runtime-2.0.0.tar.gz"
            package.chmod(0o644)
            data = bytearray(package.read_bytes())
            data[len(data) // 2] ^= 1
            package.write_bytes(data)
        result = self.p.run("deploy", *(f"{kind}:2.0.0" for kind in self.KINDS))
        self.assertIn("error[DT007]", result.err)
        self.assertNotEqual(result.code, 0)
        self.assertEqual(rig.tree(self.p.root, skip=(".deploy-tool/cache", ".deploy-tool/bad", ".deploy-tool/locks")),
                         before)


class LeastPrivilege(rig.ProjectTest):
    """D4: nothing needs root; root is told so."""

    def setUp(self):
        super().setUp()
        self.p.publish("model", "1.0.0", {"a": "1"})
        file = self.p.project / ".deploy-tool.yaml"
        self.config = file.read_text()
        file.write_text(self.config.replace("  allow_root: true\n", ""))

    def test_root_is_warned_before_it_changes_a_root_and_nobody_else(self):  # D4
        root = os.geteuid() == 0
        changing = (("deploy", "model:1.0.0"), ("version", "switch", "model", "1.0.0"), ("links", "repair"),
                    ("recover",), ("rollback", "model"))
        for command in changing:
            self.assertEqual("running as root" in self.p.run(*command).err, root, command)
            warnings = self.p.run(*command, "--json").json()["warnings"]
            self.assertEqual([w["code"] for w in warnings if "running as root" in w["message"]],
                             ["DT005"] if root else [], command)
        for command in (("status",), ("version", "list", "model"), ("links", "verify"), ("history",),
                        ("deploy", "model:1.0.0", "--dry-run"), ("config", "show")):
            self.assertNotIn("running as root", self.p.ok(*command).err, command)

    def test_allow_root_silences_the_warning(self):  # D4
        (self.p.project / ".deploy-tool.yaml").write_text(self.config)
        self.assertNotIn("warning", self.p.ok("deploy", "model:1.0.0").err)

    def test_owners_in_a_package_are_ignored_and_special_bits_dropped(self):  # D4, D193
        source = self.p.project / "source-tool"
        self.p.write_source("source-tool", {"run": "#!/bin/sh\n"})
        (source / "run").chmod(0o6755)
        self.p.ok("pack", "./source-tool", "--type", "tool", "--version", "1.0.0")
        self.p.ok("publish", "tool:1.0.0")
        self.p.ok("deploy", "tool:1.0.0")
        status = (self.p.root / "links/tool/run").stat()
        self.assertEqual(stat.S_IMODE(status.st_mode), 0o755)
        self.assertEqual((status.st_uid, status.st_gid), (os.geteuid(), os.getegid()))


if __name__ == "__main__":
    rig.main()
