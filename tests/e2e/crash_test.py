#!/usr/bin/python3
"""kill -9 at every failpoint of every change (D280): readers see the state before or after, and so
does everybody once the next command has recovered.

A scenario lists the points that its command passes. The n-th trial kills the command at its n-th
pass over any point; one more trial shows that there are no further passes. A kill proves nothing
about fsync: that is sync_order_test.py and the simulated power loss of the unit tests.
"""
import json
import os
import pathlib
import re
import signal
import tarfile
import unittest

import rig
import trials
import walker

KILLED = -signal.SIGKILL
ONE = {"id": "one", "sub/data": "1" * 3000, "run.sh": "echo one"}
TWO = {"id": "two", "sub/data": "2" * 3000, "new": "only in two"}


def table():
    """Every failpoint that src/deploy passes, read from the sources."""
    names = set()
    for path in (rig.SOURCE / "src" / "deploy").rglob("*.cc"):
        if not path.name.endswith("_test.cc"):
            names.update(re.findall(r'SLIPWAY_FAILPOINT\("([^"]+)"\)', path.read_text()))
    header = (rig.SOURCE / "src" / "deploy" / "release" / "failpoints.h").read_text()
    for step in re.findall(r'^    "([a-z]+)",', header, re.MULTILINE):
        names.update((f"deploy.{step}.before", f"deploy.{step}.after"))
    return names


def points(prefix, *steps):
    """"gen" is passed before and after; "link*2" twice; "rename.before" as it stands."""
    found = []
    for step in steps:
        name, _, count = step.partition("*")
        whole = [f"{prefix}.{name}"] if name.endswith((".before", ".after")) else [
            f"{prefix}.{name}.before", f"{prefix}.{name}.after"]
        found += whole * int(count or 1)
    return found


RECORDS = ("commit", "state", "history", "end")
SWITCH = ("begin", "gen", "switch", "active", "rename.before*2", *RECORDS)


class Scenario:
    """What is done before, the command that is killed, and which points it passes.

    `versions` = {type: {version: files}}: what readers may find through the links of a type;
    `missing` says that there may be no link before. `again` is whether the command may be repeated
    after it has succeeded without doing more.
    """

    def __init__(self, name, command, passes, prepare, versions, missing=False, again=True, glob="deploy.*",
                 config=""):
        self.name, self.command, self.passes, self.prepare = name, command, passes, prepare
        self.versions, self.missing, self.again, self.glob, self.config = versions, missing, again, glob, config


def two_installed(p):
    p.publish("model", "1.0.0", ONE)
    p.publish("model", "1.1.0", TWO)
    p.ok("deploy", "model:1.0.0", "--yes")
    p.ok("deploy", "model:1.1.0", "--yes")


def first_published(p):
    p.publish("model", "1.0.0", ONE)
    (p.project / "source-model" / "link").symlink_to("id")  # extract.links
    p.ok("pack", "./source-model", "--type", "model", "--version", "1.1.0")
    p.ok("publish", "model:1.1.0", "--yes")


def one_installed(p):
    p.publish("model", "1.0.0", ONE)
    p.publish("model", "1.1.0", TWO)
    p.ok("deploy", "model:1.0.0", "--yes")


def other_content(p):
    p.publish("model", "1.0.0", ONE)
    p.ok("deploy", "model:1.0.0", "--yes")
    p.write_source("source-model", TWO)
    p.ok("pack", "./source-model", "--type", "model", "--version", "1.0.0", "--force")
    p.ok("publish", "model:1.0.0", "--yes", "--force")


def three_types(p):
    for kind in ("config", "model", "runtime"):
        p.publish(kind, "1.0.0", ONE)
        p.publish(kind, "2.0.0", TWO)
    p.ok("deploy", "config:1.0.0", "model:1.0.0", "--yes")
    p.ok("release", "create", "config:2.0.0", "model:2.0.0", "runtime:2.0.0", "--release-version", "2024.01.20")


def two_generations(p):
    for version, files in (("1.0.0", ONE), ("1.1.0", TWO)):
        p.publish("model", version, files)
        p.publish("config", version, files)
        p.ok("deploy", f"config:{version}", f"model:{version}", "--yes")


def broken_links(p):
    two_installed(p)
    (p.root / "links" / "model").unlink()
    current = p.root / "components" / "model" / "current"
    current.unlink()
    current.symlink_to("9.9.9")


MODEL = {"model": {"1.0.0": ONE, "1.1.0": TWO}}
INSTALL = ("begin", "fetch", "stage", "place")
CUSTOM = "  create_parents: true\n  custom_links: {app/data: links/model/sub}\n"

SCENARIOS = [
    Scenario("deploy a first component", ("deploy", "model:1.1.0"),
             points("deploy", *INSTALL, "gen", "switch", "active", "link", "rename.before*4", *RECORDS),
             first_published, {"model": {"1.1.0": {**ONE, "link": ONE["id"]}}}, missing=True, config=CUSTOM),
    Scenario("extract a symbolic link", ("deploy", "model:1.1.0"), ["extract.links.before"], first_published,
             {"model": {"1.1.0": {**ONE, "link": ONE["id"]}}}, missing=True, glob="extract.*"),
    Scenario("deploy the next version", ("deploy", "model:1.1.0"),
             points("deploy", *INSTALL, "gen", "switch", "active", "rename.before*2", *RECORDS), one_installed, MODEL),
    Scenario("redeploy --force with other content", ("deploy", "model:1.0.0", "--force"),
             points("deploy", *INSTALL, *RECORDS), other_content, {"model": {"old": ONE, "new": TWO}}, again=False),
    Scenario("deploy a release of three", ("deploy", "--release", "2024.01.20"),
             points("deploy", "begin", "fetch*3", "stage*3", "place", "gen", "switch", "active", "link",
                    "rename.before*5", *RECORDS), three_types,
             {kind: {"1.0.0": ONE, "2.0.0": TWO} for kind in ("config", "model", "runtime")}, missing=True),
    Scenario("switch", ("version", "switch", "model", "1.0.0"), points("deploy", *SWITCH), two_installed, MODEL),
    Scenario("roll back a type", ("rollback", "model"), points("deploy", *SWITCH), two_installed, MODEL, again=False),
    Scenario("roll back a generation", ("rollback", "--to", "1"), points("deploy", *SWITCH, "rename.before"),
             two_generations, {**MODEL, "config": MODEL["model"]}),
    Scenario("repair links", ("links", "repair"),
             points("deploy", "begin", "gen", "switch", "active", "link", "rename.before*3", *RECORDS),
             broken_links, MODEL, missing=True),
]


UNDO = points("deploy", "undo*7", "rename.before*2", "end")
FINISH = points("deploy", "commit.after", "state", "history", "end")
PACK = points("pack", "stream", "package", "sides.after", "manifest")
PUBLISH = points("publish", "object*6", "manifest*2", "target-record*2", "record", "release")
REPLACE = points("publish", "replace")
PUBLISH_UNDO = points("publish", "object*3", "object.before", "undo*2")


def crash(p, scenario_glob, number, command):
    return p.run(*command, "--yes", env={"SLIPWAY_FAILPOINTS": f"{scenario_glob}=crash:{number}"})


class DeployCrash(trials.BenchTest):
    """Every change of a deploy root."""

    def readers(self, p, scenario, before=None, goal=None):
        """The version that readers find through each link; one that was there is never missing.

        Below active/ all types are as in `before` or all as in `goal`.
        """
        found = {}
        for kind, versions in scenario.versions.items():
            known = {version: walker.content(files) for version, files in versions.items()}
            for link in (f"links/{kind}", f"components/{kind}/current", f"active/{kind}"):
                missing = scenario.missing and (before is None or before[link] is None)
                found[link] = self.through(p.root / link, known, missing)
        if goal is not None:
            together = [{kind: seen[f"active/{kind}"] for kind in scenario.versions} for seen in (found, before, goal)]
            self.assertIn(together[0], together[1:], "active/ shows a mixture")
        return found

    def through(self, link, known, missing):
        if missing and not os.path.exists(link):
            return None
        return walker.readable_version(link, known, missing)

    def trial(self, bench, scenario, number, before, after, readers):  # readers: before, after
        p = bench.copy()
        label = f"{scenario.name}, pass {number} of {len(scenario.passes)}"
        killed = crash(p, scenario.glob, number, scenario.command)
        if killed.code != KILLED:
            raise AssertionError(f"{label}: not killed; correct the list of its points\n{killed}")
        self.readers(p, scenario, *readers)
        try:
            self.recover(bench, p, scenario, number, before, after)
        except AssertionError as error:
            raise AssertionError(f"{label}: {error}") from error
        rig.remove_tree(p.folder)

    def recover(self, bench, p, scenario, number, before, after):
        now = None
        if number % 2 == 0:
            p.ok("recover")
            now = bench.facts(p)
            self.assertTrue(now in (before, after), "neither before nor after\nfrom before:\n" +
                            walker.difference(before, now) + "\nfrom after:\n" + walker.difference(after, now))
            again = p.ok("recover", "--json").json()
            self.assertEqual(again["data"]["transactions"], [], "the second recover found something")
            self.assertTrue(bench.facts(p) == now, "the second recover changed something")
        if scenario.again or now == before:
            p.ok(*scenario.command, "--yes")
            now = bench.facts(p)
            self.assertTrue(now == after, "repeated, it ends elsewhere\n" + walker.difference(after, now))
        else:
            p.ok("recover")
            self.assertTrue(bench.facts(p) in (before, after), "neither before nor after")
        self.assertEqual(walker.leftovers(p.root), [])
        self.readers(p, scenario)

    def run_scenario(self, scenario):
        bench = self.bench(scenario.prepare, scenario.config)
        before = bench.facts(bench.model)
        p = bench.copy()
        first = self.readers(p, scenario)
        last = crash(p, scenario.glob, len(scenario.passes) + 1, scenario.command)
        self.assertEqual(last.code, 0, f"{scenario.name} passes more points than it lists\n{last}")
        after = bench.facts(p)
        self.assertNotEqual(before, after)
        readers = first, self.readers(p, scenario)
        trials.in_parallel(lambda n=n: self.trial(bench, scenario, n, before, after, readers)
                    for n in range(1, len(scenario.passes) + 1))


    def test_recovery_that_is_killed(self):
        """The next command undoes or finishes all the same, wherever the one before it died."""
        for point, passes in (("deploy.active.after", UNDO), ("deploy.commit.after", FINISH)):
            with self.subTest(point):
                bench = self.bench(one_installed)
                wanted = bench.facts(bench.model)
                if passes is FINISH:
                    p = bench.copy()
                    p.ok("deploy", "model:1.1.0", "--yes")
                    wanted = bench.facts(p)
                trials.in_parallel(lambda n=n: self.recovery(bench, point, n, n <= len(passes), wanted)
                            for n in range(1, len(passes) + 2))

    def recovery(self, bench, point, number, dies, wanted):
        p = bench.copy()
        killed = p.run("deploy", "model:1.1.0", "--yes", env={"SLIPWAY_FAILPOINTS": f"{point}=crash"})
        self.assertEqual(killed.code, KILLED, str(killed))
        killed = crash(p, "deploy.*", number, ("recover",))
        self.assertEqual(killed.code, KILLED if dies else 0, f"pass {number}; correct UNDO or FINISH: {killed}")
        for link in (p.root / "links" / "model", p.root / "active" / "model"):
            walker.readable_version(link, {"1.0.0": walker.content(ONE), "1.1.0": walker.content(TWO)})
        p.ok("recover")
        now = bench.facts(p)
        self.assertTrue(now == wanted, f"pass {number}:\n{walker.difference(now, wanted)}")
        self.assertEqual(walker.leftovers(p.root), [])
        rig.remove_tree(p.folder)


def packed(p, folder):
    """Every file below `folder`; JSON without the times in it, all without the place of the trial."""
    found = {}
    for path in sorted(pathlib.Path(folder).rglob("*")):
        if path.is_file() and path.name != ".lock":
            text = path.read_bytes().replace(os.fsencode(p.folder), b"@")
            if path.suffix == ".json":
                text = re.sub(rb'"(created_at|published_at)": "[^"]*"', rb"", text)
            found[str(path.relative_to(folder))] = text
    return found


class PackCrash(trials.BenchTest):
    """A package stands under its name whole or not at all, and its manifest only with it."""

    def check(self, p, label):
        for manifest in (p.project / "deployment" / "manifests").glob("*.json"):
            package = json.loads(manifest.read_text())["package"]
            for part in (package, package["index"], package["pieces"]):
                wanted = part.get("sha256", part.get("checksum", {}).get("value"))
                self.assertEqual(walker.digest(p.project / "dist" / part["file"]), wanted, f"{label}: {part['file']}")
        for package in (p.project / "dist").glob("*.tar.gz"):
            with tarfile.open(package) as tar:  # reads it to the end
                self.assertTrue(tar.getmembers(), label)

    def run_pack(self, prepare, *options):
        bench = self.bench(prepare)
        command = ("pack", "./source-model", "--type", "model", "--version", "1.0.0", *options)
        p = bench.copy()
        last = crash(p, "pack.*", len(PACK) + 1, command)
        self.assertEqual(last.code, 0, f"pack passes more points than PACK lists\n{last}")
        after = packed(p, p.project)

        def trial(number):
            p = bench.copy()
            killed = crash(p, "pack.*", number, command)
            self.assertEqual(killed.code, KILLED, f"pass {number}: {killed}")
            self.check(p, f"after pass {number}")
            p.ok(*command)
            now = packed(p, p.project)
            self.assertEqual(sorted(now), sorted(after), f"pass {number}")
            self.assertTrue(now == after, f"pass {number}: {[name for name in now if now[name] != after[name]]}")

        trials.in_parallel(lambda n=n: trial(n) for n in range(1, len(PACK) + 1))

    def test_pack(self):
        self.run_pack(lambda p: p.write_source("source-model", ONE))

    def test_pack_over_other_content(self):
        def other(p):
            p.write_source("source-model", TWO)
            p.ok("pack", "./source-model", "--type", "model", "--version", "1.0.0")
            p.write_source("source-model", ONE)
        self.run_pack(other, "--force")


class PublishCrash(trials.BenchTest):
    """A version is visible in a store when all of it is there (D18), wherever publish died."""

    def stores(self, p):
        state = {name: packed(p, p.store(name)) for name in ("local", "backup")}
        state["project"] = packed(p, p.project)
        return state

    def check(self, p, label):
        shown = {}
        for name in ("local", "backup"):
            shown[name] = ("model", "1.0.0") in walker.visible(p.store(name))
            root = p.folder / f"reader-{name}"
            deployed = p.run("deploy", "model:1.0.0", "--yes", "--source", name, "--root", root)
            self.assertIn(deployed.code, (0, 4, 6), f"{label}: {deployed}")
            self.assertEqual(deployed.code == 0, shown[name], f"{label}: {deployed}")
            if shown[name]:
                self.assertEqual(walker.read_tree(root / "links" / "model"), walker.content(ONE), label)
        record = p.project / "deployment" / "publish" / "model-1.0.0.publish.json"
        for location in json.loads(record.read_text())["locations"] if record.exists() else []:
            self.assertTrue(shown[location["name"]], f"{label}: recorded and not visible: {location}")

    def run_publish(self, passes, prepare, command, succeeds=True, repair=lambda p: None):
        bench = self.bench(prepare)
        p = bench.copy()
        last = crash(p, "publish.*", len(passes) + 1, command)
        self.assertEqual(last.code == 0, succeeds, str(last))
        self.assertNotEqual(last.code, KILLED, f"publish passes more points than it lists\n{last}")
        repair(p)
        p.ok(*command, "--yes")
        after = self.stores(p)

        def trial(number):
            p = bench.copy()
            killed = crash(p, "publish.*", number, command)
            self.assertEqual(killed.code, KILLED, f"pass {number}: {killed}")
            self.check(p, f"after pass {number}")
            repair(p)
            p.ok(*command, "--yes")
            now = self.stores(p)
            self.assertEqual({k: sorted(v) for k, v in now.items()}, {k: sorted(v) for k, v in after.items()})
            self.assertTrue(now == after, f"pass {number}")
            self.check(p, f"repeated after pass {number}")

        trials.in_parallel(lambda n=n: trial(n) for n in range(1, len(passes) + 1))

    @staticmethod
    def pack(p):
        p.write_source("source-model", ONE)
        p.ok("pack", "./source-model", "--type", "model", "--version", "1.0.0")

    def test_publish_a_release_to_two_stores(self):
        self.run_publish(PUBLISH, self.pack, ("publish", "model:1.0.0", "--release-version", "r1"))

    def test_replacing_by_force(self):
        """The old version, the new one or none; the next publish, without force, completes it (D18)."""
        def prepare(p):
            p.publish("model", "1.0.0", TWO)
            p.write_source("source-model", ONE)
            p.ok("pack", "./source-model", "--type", "model", "--version", "1.0.0", "--force")
        bench = self.bench(prepare)
        known = {"old": walker.content(TWO), "new": walker.content(ONE)}
        command, number, gone = ("publish", "model:1.0.0", "--force"), 1, 0
        while True:
            p = bench.copy()
            killed = crash(p, "publish.*", number, command)
            if killed.code != KILLED:
                self.assertEqual(killed.code, 0, str(killed))
                break
            shown = []
            for name in ("local", "backup"):
                root = p.folder / f"reader-{name}"
                deployed = p.run("deploy", "model:1.0.0", "--yes", "--source", name, "--root", root)
                self.assertIn(deployed.code, (0, 6), f"pass {number}: {deployed}")
                shown.append(walker.readable_version(root / "links" / "model", known) if deployed.code == 0 else "none")
            gone += "none" in shown
            again = p.run("publish", "model:1.0.0", "--yes")
            self.assertEqual(again.code, 7 if "old" in shown else 0, f"pass {number}, {shown}: {again}")
            p.ok(*command, "--yes")
            self.assertEqual(sorted(p.store("local").rglob("*.replacing")), [])
            number += 1
        self.assertGreater(number, 2 * len(REPLACE))
        self.assertGreater(gone, 0)

    def test_undo_of_a_publish_that_fails(self):
        def prepare(p):
            self.pack(p)
            p.store("backup").mkdir()
            (p.store("backup") / "model").write_text("in the way")
        self.run_publish(PUBLISH_UNDO, prepare, ("publish", "model:1.0.0"), succeeds=False,
                         repair=lambda p: (p.store("backup") / "model").unlink(missing_ok=True))


class Table(unittest.TestCase):
    def test_every_failpoint_of_the_sources_is_passed_by_a_scenario(self):
        passed = {*UNDO, *FINISH, *PACK, *PUBLISH, *REPLACE, *PUBLISH_UNDO}
        for scenario in SCENARIOS:
            passed.update(scenario.passes)
        self.assertEqual(table() - passed, set())
        self.assertEqual(passed - table(), set())


def add_tests():
    for scenario in SCENARIOS:
        name = "test_" + re.sub(r"\W+", "_", scenario.name)
        setattr(DeployCrash, name, lambda self, s=scenario: self.run_scenario(s))


add_tests()

if __name__ == "__main__":
    rig.main()
