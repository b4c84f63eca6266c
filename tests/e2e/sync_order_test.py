#!/usr/bin/python3
"""The order of writes, syncs and names that strace sees (D12, D18, D24, D263, spec 6.14).

What the unit tests prove on a simulated disk is proved here of the calls that the kernel got.
"""
import re
import unittest

import rig
import syscalls

# Locks die with the process, staging is garbage once the journal is gone, and what the cache lost is
# fetched again.
PASSING = ("/.deploy-tool/lock", "/.deploy-tool/staging", "/.deploy-tool/cache", "/publish/.lock")


def journal(call):
    return call.name == "pwrite64" and "/journal/" in call.fd()


class SyncOrder(rig.ProjectTest):
    def publish_three(self):
        self.p.publish("model", "1.0.0", {"a": "1", "sub/b": "one"})
        self.p.publish("model", "1.1.0", {"a": "2", "sub/b": "two"})
        self.p.publish("model", "2.0.0", {f"many/{i}": str(i) for i in range(80)})

    def assertNothingEarly(self, trace, folder):
        """No file got its name before its data was safe, and all is safe before success is said."""
        self.assertEqual(trace.replay(folder).early, [])
        self.assertEqual(trace.replay(folder, trace.success()).volatile(PASSING), [])
        after = [call for call in trace.syncs() if call.end > trace.success().start]
        self.assertEqual(after, [], "synced after success was said")

    def assertAnnounced(self, trace, step, action):
        """The record of `step` is in the journal, synced, when `action` happens for the first time."""
        records = [c for c in trace.calls if journal(c) and f'\\"step\\":\\"{step}\\"' in c.arguments[1]]
        self.assertTrue(records, f"no record of {step}")
        first = next((call for call in trace.calls if action(call)), None)
        self.assertIsNotNone(first, f"{step} was never done")
        self.assertLess(records[0].end, first.start, f"{step} was done before it was announced")
        disk = syscalls.Disk(str(self.p.root))
        for call in trace.calls:
            if call.end < first.start:
                disk.apply(call)
        self.assertEqual([path for path in disk.volatile() if "/journal" in path], [],
                         f"{step} was done before its record was safe: {first}")

    def assertLinkOrder(self, trace, link):
        """D24: a temporary symlink in the same directory, one rename over the name, fsync of the directory."""
        folder, name = str(link.parent), link.name
        calls = [c for c in trace.calls if c.name in (*syscalls.NAMES, *syscalls.SYNCS)]
        renames = [c for c in calls if c.name.startswith("rename") and c.path(2) == str(link)]
        self.assertEqual(len(renames), 1, f"{link}: {renames}")
        temporary = renames[0].path(0)
        self.assertEqual(renames[0].fd(0), folder)
        self.assertRegex(temporary, r"/\.deploy-tool-[^/]+\.tmp$")
        made = [c for c in calls if c.name == "symlinkat" and c.path(1) == temporary]
        self.assertEqual([c.end < renames[0].start for c in made], [True])
        synced = [c for c in calls if c.name in syscalls.SYNCS and c.fd() == folder and c.start > renames[0].end]
        self.assertTrue(synced, f"{folder} is not synced after {name} was set")
        self.assertFalse([c for c in calls if c.name == "unlinkat" and c.path(0) == str(link)])
        return renames[0]

    def test_pack_syncs_each_file_before_its_name_and_the_manifest_last(self):
        self.p.write_source("models", {"a": "1", "b": "2" * 100000})
        trace = syscalls.Trace(self.p, "pack", "./models", "--type", "model", "--version", "1.0.0")
        self.assertNothingEarly(trace, self.p.project)
        self.assertShownLast(trace, self.p.project / "dist", self.p.project / "deployment" / "manifests",
                             "model-1.0.0.manifest.json")

    def assertShownLast(self, trace, objects, folder, manifest):
        """The objects have durable names before the manifest gets its own."""
        shown = [c for c in trace.calls if c.name in ("linkat", "renameat", "renameat2")
                 and c.path(2) == str(folder / manifest)]
        self.assertEqual(len(shown), 1, manifest)
        disk, named = syscalls.Disk(str(objects)), 0
        for call in trace.calls:
            if call.end < shown[0].start:
                disk.apply(call)
                named += call.name in ("linkat", "renameat", "renameat2") and call.fd(2) == str(objects)
        self.assertGreaterEqual(named, 3)
        self.assertEqual(disk.volatile(), [])

    def test_publish_shows_a_version_after_all_of_it_is_safe(self):
        self.p.write_source("models", {"a": "1", "b": "2" * 100000})
        self.p.ok("pack", "./models", "--type", "model", "--version", "1.0.0")
        trace = syscalls.Trace(self.p, "publish", "model:1.0.0", "--yes")
        for name in ("local", "backup"):
            folder = self.p.store(name) / "model" / "1.0.0"
            self.assertNothingEarly(trace, self.p.store(name))
            self.assertShownLast(trace, folder, folder, "model-1.0.0.manifest.json")
        self.assertNothingEarly(trace, self.p.project)
        record = [c for c in trace.calls if c.name in ("linkat", "renameat", "renameat2")
                  and c.path(2).endswith("/deployment/publish/model-1.0.0.publish.json")]
        self.assertEqual(len(record), 1)
        for name in ("local", "backup"):
            disk = syscalls.Disk(str(self.p.store(name)))
            for call in trace.calls:
                if call.end < record[0].start:
                    disk.apply(call)
            self.assertEqual(disk.volatile(), [], "the record names a location that is not safe")

    def test_a_new_root_is_durable_with_the_way_to_it(self):
        self.p.publish("model", "1.0.0", {"a": "1"})
        root = self.p.folder / "new" / "way" / "root"
        trace = syscalls.Trace(self.p, "deploy", "model:1.0.0", "--root", str(root), "--yes")
        made = {call.path(0) for call in trace.find("mkdirat")}
        self.assertLessEqual({str(root), str(root.parent), str(root.parent.parent)}, made)
        self.assertEqual(trace.replay(self.p.folder, trace.success()).volatile(PASSING), [])

    def test_deploy_announces_each_step_and_syncs_before_it_shows(self):
        self.publish_three()
        components = f"{self.p.root}/components/model"
        for version, many in (("1.0.0", False), ("1.1.0", False), ("2.0.0", True)):
            with self.subTest(version):
                trace = syscalls.Trace(self.p, "deploy", f"model:{version}", "--yes")
                self.assertNothingEarly(trace, self.p.root)

                def placed(call, version=version):
                    return call.name == "renameat2" and call.path(2) == f"{components}/{version}"

                def made(part):
                    return lambda call: call.name in ("mkdirat", "symlinkat") and \
                        call.path(call.name == "symlinkat").startswith(f"{self.p.root}/{part}")
                self.assertAnnounced(trace, "BEGIN", made(".deploy-tool/staging/2"))
                self.assertAnnounced(trace, "PLACE", placed)
                self.assertAnnounced(trace, "GEN", made("generations/"))
                self.assertAnnounced(trace, "SWITCH", made("components/model/.deploy-tool-"))
                self.assertAnnounced(trace, "COMMIT", lambda call: call.name in ("linkat", "renameat", "renameat2")
                                     and call.path(2) == f"{self.p.root}/.deploy-tool/state/model.json")
                self.assertLinkOrder(trace, self.p.root / "components" / "model" / "current")
                self.assertLinkOrder(trace, self.p.root / "active")
                place = next(call for call in trace.calls if placed(call))
                synced = [c for c in trace.find("syncfs") if c.end < place.start]
                self.assertEqual(len(synced), 1 if many else 0, "more than 64 files: one syncfs, else fsync of each")
                if not many:
                    staged = {c.fd().rpartition("/")[2] for c in trace.syncs()
                              if "/staging/" in c.fd() and c.end < place.start}
                    self.assertLessEqual({"a", "b", "sub", "tree"}, staged)

    def test_fast_durability_still_keeps_the_journal_before_the_steps(self):
        self.p.configure("  durability: fast\n")
        self.publish_three()
        trace = syscalls.Trace(self.p, "deploy", "model:1.0.0", "--yes")
        self.assertEqual(trace.find("syncfs"), [])
        self.assertAnnounced(trace, "PLACE", lambda call: call.name == "renameat2"
                             and call.path(2) == f"{self.p.root}/components/model/1.0.0")

    def test_switch_and_rollback_need_few_syncs(self):
        """D263: at most 8 before the new version is visible, 14 in all, whatever its size."""
        self.publish_three()
        for version in ("1.0.0", "1.1.0", "2.0.0"):
            self.p.ok("deploy", f"model:{version}", "--yes")
        for command in (("version", "switch", "model", "1.0.0"), ("version", "switch", "model", "2.0.0"),
                        ("rollback", "model"), ("rollback", "model", "--forward")):
            with self.subTest(command):
                trace = syscalls.Trace(self.p, *command, "--yes")
                shown = self.assertLinkOrder(trace, self.p.root / "components" / "model" / "current")
                self.assertLinkOrder(trace, self.p.root / "active")
                self.assertNothingEarly(trace, self.p.root)
                syncs = trace.syncs()
                self.assertLessEqual(len([c for c in syncs if c.start < shown.start]), 8, syncs)
                self.assertLessEqual(len(syncs), 14, syncs)
                self.assertGreaterEqual(len(syncs), 8, "a switch cannot be safe with so few")
                self.assertAnnounced(trace, "SWITCH", lambda call: call.name == "symlinkat" and
                                     call.path(1).startswith(f"{self.p.root}/components/model/.deploy-tool-"))

    def test_what_changes_nothing_syncs_nothing(self):
        self.publish_three()
        self.p.ok("deploy", "model:1.0.0", "--yes")
        for command in (("deploy", "model:1.0.0", "--yes"), ("version", "switch", "model", "1.0.0", "--yes"),
                        ("links", "repair", "--yes"), ("status",), ("links", "verify"), ("history",),
                        ("version", "list", "model"), ("deploy", "model:1.1.0", "--dry-run"),
                        ("recover",)):
            with self.subTest(command):
                trace = syscalls.Trace(self.p, *command)
                self.assertEqual(trace.syncs(), [])
                changed = [c for c in trace.find(*syscalls.NAMES) if c.name != "mkdirat"]
                self.assertEqual(changed, [])


class Model(unittest.TestCase):
    """The replay itself: it must find what it is here to find."""

    LOG = """1 openat(5</r/d>, ".", O_RDWR|O_CLOEXEC|O_TMPFILE, 0600) = 7</r/d/#1>(deleted)
1 pwrite64(7</r/d/#1>(deleted), "a, (b\\"", 5, 0) = 5
1 fsync(7</r/d/#1>(deleted) <unfinished ...>
2 write(1</dev/pts/0>, "x", 1) = 1
1 <... fsync resumed>)              = 0
1 linkat(7</r/d/#1>(deleted), "", 5</r/d>, "name", AT_EMPTY_PATH) = 0
1 fsync(5</r/d>)  = 0"""

    def replay(self, log):
        disk = syscalls.Disk("/r")
        for call in syscalls.parse(log):
            disk.apply(call)
        return disk.early, disk.volatile()

    def test_a_good_order(self):
        self.assertEqual(self.replay(self.LOG), ([], []))

    def test_each_missing_sync_is_found(self):
        lines = self.LOG.splitlines()
        self.assertEqual(self.replay("\n".join(lines[:6])), ([], ["/r/d/name"]))
        early, volatile = self.replay("\n".join(lines[:2] + lines[5:]))
        self.assertEqual(early, [("/r/d/name", ["/r/d/#1(deleted)"])])
        self.assertEqual(volatile, ["/r/d/name"])

    def test_a_sync_that_began_before_the_write_does_not_count(self):
        log = re.sub(r"^2 write.*$", '2 pwrite64(7</r/d/#1>(deleted), "c", 1, 5) = 1', self.LOG, flags=re.MULTILINE)
        self.assertEqual(self.replay(log)[1], ["/r/d/name"])


if __name__ == "__main__":
    rig.main()
