#!/usr/bin/python3
"""Full disks, failing syncs, read-only file systems, lost permissions, no more descriptors (D284, D19).

After each of them: a clean error with its id, readers find the old version, nothing is left over, and
the same command succeeds as soon as the cause is gone. Faults are injected into the running program by
strace; real file systems are mounted where the test may (root, in a mount namespace of its own).
"""
import collections
import ctypes
import json
import os
import pathlib
import random
import re
import subprocess
import tarfile
import tempfile
import time
import unittest

import rig
import syscalls
import trials
import walker

ONE = {"id": "one", "sub/data": "1" * 3000}
TWO = {"id": "two", "sub/data": "2" * 3000, "new": "only in two"}
KNOWN = {"1.0.0": walker.content(ONE), "2.0.0": walker.content(TWO)}
# What runs before main() says so itself: the loader, a sanitizer.
DIES = re.compile("error while loading shared libraries|Sanitizer")
CLEAN = re.compile(r"^error\[DT0\d\d\]: .+\n(  .+\n)*  hint: .+$", re.MULTILINE)


def two_published(p):
    p.publish("model", "1.0.0", ONE)
    p.publish("model", "2.0.0", TWO)
    p.ok("deploy", "model:1.0.0", "--yes")


class Faults(trials.BenchTest):
    def assertExit(self, result, code):
        self.assertEqual(result.code, code, str(result))

    def assertClean(self, result, codes, ids):
        self.assertIn(result.code, codes, str(result))
        self.assertRegex(result.err, CLEAN)
        self.assertIn(re.search(r"error\[(DT\d+)\]", result.err)[1], ids, str(result))

    def assertWhole(self, p, versions=("1.0.0", "2.0.0")):
        """Readers find one of the versions, the same through every link."""
        found = {walker.readable_version(p.root / link, KNOWN)
                 for link in ("links/model", "components/model/current", "active/model")}
        self.assertEqual(len(found), 1)
        self.assertIn(min(found), versions)
        return min(found)

    def assertRecovers(self, p, command, after=None):
        """The cause is gone: the command works, and nothing tells of the failure but the cache."""
        p.ok(*command, "--yes")
        self.assertEqual(walker.leftovers(p.root), [])
        if after is not None:
            self.assertTrue(after[0].facts(p) == after[1], walker.difference(after[0].facts(p), after[1]))


class Injected(Faults):
    """Each call of a kind fails once, one run each."""

    # call, the errors it gets, every how many calls: enough to meet each step and stay quick
    PLAN = (("pwrite64", ("ENOSPC", "EDQUOT", "EIO"), 1), ("fsync", ("EIO", "ENOSPC"), 1), ("mkdirat", ("ENOSPC", "EROFS"), 2),
            ("symlinkat", ("ENOSPC", "EROFS"), 1), ("linkat", ("ENOSPC", "EIO"), 1), ("renameat", ("EIO",), 1),
            ("renameat2", ("EIO", "ENOSPC"), 1), ("copy_file_range", ("ENOSPC", "EDQUOT"), 1),
            ("ftruncate", ("EIO",), 1), ("openat2", ("EMFILE", "EACCES", "EIO"), 9))

    def count(self, p, *command):
        """How often the command makes each call."""
        trace = syscalls.Trace(p, *command)
        return collections.Counter(call.name for call in trace.calls)

    def inject(self, p, call, error, when, *command):
        with tempfile.TemporaryDirectory(prefix="slipway-strace-") as scratch:
            log = pathlib.Path(scratch) / "log"
            result = p.run(*command, prefix=("strace", "-f", "-qq", "-e", f"trace={call}", "-o", str(log),
                                             f"--inject={call}:error={error}:when={when}"))
            return result, "(INJECTED)" in log.read_text()

    def sweep(self, counts, trial):
        """`trial(call, error, when)` for what PLAN names; the errors of a call take turns."""
        jobs = []
        for call, errors, step in self.PLAN:
            for number, when in enumerate(range(1, counts[call] + 1, step)):
                jobs.append((call, errors[number % len(errors)], when))
        self.assertGreater(len(jobs), 10)
        trials.in_parallel(lambda job=job: trial(*job) for job in jobs)

    def test_deploy(self):
        bench = self.bench(two_published)
        command = ("deploy", "model:2.0.0")
        p = bench.copy()
        counts = self.count(p, *command, "--yes")
        after = bench, bench.facts(p)

        def trial(call, error, when):
            p = bench.copy()
            result, injected = self.inject(p, call, error, when, *command, "--yes")
            label = f"{call} {error} {when}: {result}"
            version = self.assertWhole(p)
            if result.code == 0:
                self.assertEqual(version, "2.0.0", label)
            else:
                self.assertTrue(injected, label)
                self.assertEqual(version, "1.0.0", label)
                if not DIES.search(result.err):
                    self.assertClean(result, (2, 4, 5, 12), ("DT001", "DT004", "DT005", "DT006"))
                if error in ("ENOSPC", "EDQUOT"):
                    self.assertIn("DT006", result.err, label)
            self.assertRecovers(p, command, after)
            rig.remove_tree(p.folder)

        self.sweep(counts, trial)

    def test_a_file_system_that_cannot_tell_holes(self):
        """All of a file is data then."""
        p = self.bench(lambda p: None).copy()
        (p.project / "source").mkdir()
        with open(p.project / "source" / "file", "wb") as file:
            file.write(b"begin")
            file.truncate(1 << 20)
        command = ("pack", "./source", "--type", "model", "--version")
        p.ok(*command, "1.0.0")
        with tempfile.TemporaryDirectory(prefix="slipway-strace-") as scratch:
            log = pathlib.Path(scratch) / "log"
            result = p.run(*command, "2.0.0", prefix=("strace", "-f", "-qq", "-e", "trace=lseek", "-o", str(log),
                                                      "--inject=lseek:error=EINVAL"))
            self.assertEqual(result.code, 0, result)
            self.assertRegex(log.read_text(), r"SEEK_DATA\) += -1 EINVAL .*INJECTED")
        packed = {}
        for version in ("1.0.0", "2.0.0"):
            with tarfile.open(p.project / "dist" / f"model-{version}.tar.gz") as tar:
                packed[version] = tar.getmember("file").issparse(), tar.extractfile("file").read()
        content = b"begin".ljust(1 << 20, b"\0")
        self.assertEqual(packed, {"1.0.0": (True, content), "2.0.0": (False, content)})

    def test_publish(self):
        def packed(p):
            p.write_source("source-model", ONE)
            p.ok("pack", "./source-model", "--type", "model", "--version", "1.0.0")
        bench = self.bench(packed)
        command = ("publish", "model:1.0.0")
        counts = self.count(bench.copy(), *command)

        def trial(call, error, when):
            p = bench.copy()
            result, _ = self.inject(p, call, error, when, *command)
            label = f"{call} {error} {when}: {result}"
            shown = {name: walker.visible(p.store(name)) for name in ("local", "backup")}
            record = p.project / "deployment" / "publish" / "model-1.0.0.publish.json"
            if result.code == 0:
                self.assertEqual([len(s) for s in shown.values()], [1, 1], label)
            elif not DIES.search(result.err):
                self.assertClean(result, (2, 4, 5), ("DT001", "DT004", "DT005", "DT006"))
                if record.exists():  # its directory could not be synced: it may be there
                    self.assertEqual([len(s) for s in shown.values()], [1, 1], label)
            again = p.run(*command)
            self.assertEqual(again.code, 0, f"{label}\nthen {again}")
            for name in ("local", "backup"):
                self.assertEqual(walker.visible(p.store(name)), {("model", "1.0.0")})
            names = [path.name for path in p.folder.rglob("*") if walker.TEMPORARY.search(f"/{path.name}")]
            self.assertEqual(names, [], label)
            rig.remove_tree(p.folder)

        self.sweep(counts, trial)


class Descriptors(Faults):
    def test_a_limit_of_descriptors_or_of_file_size(self):
        bench = self.bench(two_published)

        def trial(limit):
            p = bench.copy()
            result = p.run("deploy", "model:2.0.0", "--yes", prefix=("prlimit", limit, "--"))
            version = self.assertWhole(p)
            if result.code == 0:
                self.assertEqual(version, "2.0.0", str(result))
            elif not limit.startswith("--fsize") and not DIES.search(result.err):
                self.assertEqual(version, "1.0.0", str(result))
                self.assertClean(result, (2, 4, 5, 12), ("DT001", "DT004", "DT005", "DT006"))
            self.assertRecovers(p, ("deploy", "model:2.0.0"))
            rig.remove_tree(p.folder)

        # Without a descriptor to spare the sanitizer cannot look at an object, and calls it none.
        counts = () if rig.SANITIZED else range(5, 26)
        limits = [f"--nofile={n}:{n}" for n in counts] + [f"--fsize={n}:{n}" for n in (1, 100, 400, 1000, 3000)]
        trials.in_parallel(lambda limit=limit: trial(limit) for limit in limits)


class Permissions(Faults):
    """Root may do everything, so these run as a plain user only."""

    def setUp(self):
        if os.getuid() == 0:
            self.skipTest("root ignores permissions")
        folder = rig.scratch("slipway-faults-")
        self.addCleanup(rig.remove_tree, folder)
        self.p = rig.Project(folder)
        two_published(self.p)

    def closed(self, path):
        os.chmod(path, 0o555)
        self.addCleanup(os.chmod, path, 0o755)

    def test_what_may_not_be_written_is_told_and_left_alone(self):
        bench = self.bench(two_published)
        before = bench.facts(bench.model)
        p = bench.copy()
        p.ok("deploy", "model:2.0.0", "--yes")
        after = bench, bench.facts(p)

        def trial(name):
            p = bench.copy()
            closed = p.root / name
            os.chmod(closed, 0o555)
            result = p.run("deploy", "model:2.0.0", "--yes")
            os.chmod(closed, 0o755)
            if name == ".deploy-tool/state":  # the change stands, its record follows
                self.assertExit(result, 0)
                self.assertIn("warning", result.err)
                self.assertWhole(p, ("2.0.0",))
            else:
                self.assertClean(result, (5, 12), ("DT005",))
                self.assertIn(closed.name, result.err)
                self.assertWhole(p, ("1.0.0",))
                p.ok("recover")
                self.assertTrue(bench.facts(p) == before, f"{name}: {walker.difference(bench.facts(p), before)}")
            self.assertRecovers(p, ("deploy", "model:2.0.0"), after)

        trials.in_parallel(lambda name=name: trial(name) for name in (
            "components/model", ".deploy-tool/journal", ".deploy-tool/staging", "generations", ".deploy-tool/state",
            ".deploy-tool/manifests/model", ".deploy-tool/index/model", ".deploy-tool/cache/packages/sha256", "."))

    def test_a_permission_that_goes_while_it_runs(self):
        command = [rig.TOOL, "deploy", "model:2.0.0", "--yes"]
        slow = {"SLIPWAY_FAILPOINTS": "deploy.stage.after=delay,deploy.place.*=delay"}
        with subprocess.Popen(command, cwd=self.p.project, env=self.p.environment(slow), stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE) as run:
            staging = self.p.root / ".deploy-tool" / "staging"
            end = time.monotonic() + 60
            while not any(staging.glob("*/0/files.zst")) and time.monotonic() < end:
                time.sleep(0.002)
            self.closed(self.p.root / "components" / "model")
            out, err = run.communicate(timeout=60)
        result = rig.Result(command, run.returncode, out.decode(), err.decode())
        self.assertClean(result, (5, 12), ("DT005", "DT015"))
        self.assertWhole(self.p, ("1.0.0",))
        os.chmod(self.p.root / "components" / "model", 0o755)
        self.assertRecovers(self.p, ("deploy", "model:2.0.0"))

    def test_stores_and_projects(self):
        self.p.write_source("more", {"a": "1"})
        self.closed(self.p.store("backup") / "model")
        self.p.ok("pack", "./more", "--type", "model", "--version", "3.0.0")
        result = self.p.run("publish", "model:3.0.0")
        self.assertClean(result, (5,), ("DT005",))
        self.assertEqual(walker.visible(self.p.store()), {("model", "1.0.0"), ("model", "2.0.0")})
        self.closed(self.p.project / "dist")
        self.assertClean(self.p.run("pack", "./more", "--type", "model", "--version", "4.0.0"), (5,), ("DT005",))
        (self.p.project / "more" / "a").chmod(0)
        os.chmod(self.p.project / "dist", 0o755)
        result = self.p.run("pack", "./more", "--type", "model", "--version", "4.0.0")
        self.assertClean(result, (5,), ("DT005",))
        self.assertRegex(result.err, r"\ba\b")
        self.assertEqual(list((self.p.project / "dist").glob("*4.0.0*")), [])


def own_mounts():
    """Gives this process mounts of its own; says whether it could."""
    if os.getuid() != 0:
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(0x00020000) != 0:  # CLONE_NEWNS
        return False
    return subprocess.run(["mount", "--make-rprivate", "/"], check=False, capture_output=True).returncode == 0


class Limits(Faults):
    """What the process may not do, and outputs that take nothing more."""

    def setUp(self):
        folder = rig.scratch("slipway-limits-")
        self.addCleanup(rig.remove_tree, folder)
        self.p = rig.Project(folder)
        two_published(self.p)

    def test_a_limit_on_the_size_of_files_is_an_error_and_not_a_signal(self):
        before = walker.facts(self.p.root)
        self.p.publish("model", "3.0.0", {"big": random.Random(3).randbytes(100_000)})
        result = self.p.run("deploy", "model:3.0.0", "--yes", prefix=("prlimit", "--fsize=20000"))
        self.assertClean(result, (4, 12), ("DT004",))
        self.assertEqual(walker.facts(self.p.root), before)
        self.assertRecovers(self.p, ("deploy", "model:3.0.0"))

    def test_too_few_descriptors_are_not_taken_for_a_full_disk(self):
        if rig.SANITIZED:  # which opens pipes to look at memory, and takes it for a bug when it cannot
            return
        result = self.p.run("publish", "model:1.0.0", prefix=("prlimit", "--nofile=9"))
        if not DIES.search(result.err):
            self.assertClean(result, (4,), ("DT004",))
            self.assertIn("Too many open files", result.err)

    def test_a_reader_that_has_gone_is_no_error_and_a_full_device_is_one(self):
        for command in (("status",), ("status", "--json"), ("--help",), ("version", "list", "model")):
            with self.subTest(command):
                reading, writing = os.pipe()
                os.close(reading)
                with os.fdopen(writing, "wb") as pipe, open("/dev/full", "wb") as full:
                    for output, code, told in ((pipe, 0, ""), (full, 4, "error[DT006]: write the result")):
                        done = subprocess.run([rig.TOOL, *command], cwd=self.p.project, env=self.p.environment(),
                                              stdout=output, stderr=subprocess.PIPE, text=True, check=False)
                        self.assertEqual(done.returncode, code, done.stderr)
                        self.assertEqual(done.stderr[:len(told) or None], told)


class RealFilesystem(Faults):
    """On a tmpfs of a few MiB that is full, and on one that is read-only."""

    BIG = {"id": "big", **{f"part{i}": random.Random(i).randbytes(200_000) for i in range(5)}}

    def setUp(self):
        if not own_mounts():
            self.skipTest("needs root and a mount namespace")
        folder = rig.scratch("slipway-faults-")
        self.addCleanup(rig.remove_tree, folder)
        self.p = rig.Project(folder)

    def mount(self, path, options):
        path.mkdir(parents=True, exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", path], check=True)
        self.addCleanup(subprocess.run, ["umount", path], check=True)

    @staticmethod
    def free(path):
        room = os.statvfs(path)
        return room.f_bavail * room.f_frsize

    def fill(self, path, left):
        """Leaves `left` bytes free; returns the file that takes the rest."""
        ballast = path / "ballast"
        with open(ballast, "wb") as file:
            os.posix_fallocate(file.fileno(), 0, max(1, self.free(path) - left))
        return ballast

    def test_deploy_to_a_full_disk(self):
        self.mount(self.p.root, "size=6m")
        self.p.publish("model", "1.0.0", ONE)
        self.p.publish("model", "2.0.0", self.BIG)
        self.p.ok("deploy", "model:1.0.0", "--yes")
        before = walker.facts(self.p.root)
        known = {"1.0.0": walker.content(ONE)}
        start = self.free(self.p.root)
        for left in (0, 4096, 8192, 16384, 65536, 500_000, 1_000_000, 1_050_000, 1_200_000, 1_800_000, 2_000_000):
            with self.subTest(left):
                ballast = self.fill(self.p.root, left)
                result = self.p.run("deploy", "model:2.0.0", "--yes")
                self.assertClean(result, (4, 12), ("DT006",))
                self.assertEqual(walker.readable_version(self.p.root / "links" / "model", known), "1.0.0")
                self.p.run("recover")  # may need room itself
                ballast.unlink()
                self.p.ok("recover")
                after = walker.facts(self.p.root)
                self.assertEqual(after, before, walker.difference(after, before))
                self.assertEqual(walker.leftovers(self.p.root), [])
                # What was fetched whole stays in the cache for the next attempt; nothing else does.
                cache = sum(path.stat().st_blocks * 512 for path in
                            (self.p.root / ".deploy-tool" / "cache").rglob("*") if path.is_file())
                self.assertGreaterEqual(self.free(self.p.root) + cache, start)
        self.assertRecovers(self.p, ("deploy", "model:2.0.0"))
        self.assertEqual(walker.read_tree(self.p.root / "links" / "model"), walker.content(self.BIG))

    def test_too_few_inodes_are_said_before_anything_is_fetched(self):  # D29
        self.mount(self.p.root, "size=6m,nr_inodes=200")
        self.p.publish("model", "1.0.0", ONE)
        self.p.publish("model", "2.0.0", {f"file{i}": "x" for i in range(150)})
        self.p.ok("deploy", "model:1.0.0", "--yes")
        before = walker.facts(self.p.root)
        result = self.p.run("deploy", "model:2.0.0", "--yes")
        self.assertClean(result, (4,), ("DT006",))
        self.assertRegex(result.err, r"\d+ inodes are needed, \d+ are free")
        self.assertEqual(walker.facts(self.p.root), before)

    def test_too_little_space_is_said_before_anything_is_fetched(self):  # D29
        self.mount(self.p.root, "size=6m")
        self.p.publish("model", "1.0.0", ONE)
        self.p.publish("model", "2.0.0", self.BIG)
        self.p.ok("deploy", "model:1.0.0", "--yes")
        self.fill(self.p.root, 1_500_000)
        before = walker.facts(self.p.root)
        result = self.p.run("deploy", "model:2.0.0", "--yes")
        self.assertClean(result, (4,), ("DT006",))
        self.assertRegex(result.err, r"are needed, .* are free")
        self.assertEqual(walker.facts(self.p.root), before)

    def test_switch_on_a_full_disk(self):
        self.mount(self.p.root, "size=6m")
        two_published(self.p)
        self.p.ok("deploy", "model:2.0.0", "--yes")
        for left in (0, 4096, 8192, 12288, 16384, 20480, 32768):
            ballast = self.fill(self.p.root, left)
            target = "1.0.0" if self.p.current("model") == "2.0.0" else "2.0.0"
            result = self.p.run("version", "switch", "model", target, "--yes")
            if result.code == 0:
                self.assertEqual(self.assertWhole(self.p), target)
            else:
                self.assertClean(result, (4, 12), ("DT006",))
                self.assertNotEqual(self.assertWhole(self.p), target)
            ballast.unlink()
            self.p.ok("recover")
            self.assertEqual(walker.leftovers(self.p.root), [])
        self.p.ok("links", "verify")

    def test_publish_to_a_full_store_and_pack_to_a_full_disk(self):
        self.mount(self.p.store("backup"), "size=2m")
        self.p.write_source("big", self.BIG)
        self.p.ok("pack", "./big", "--type", "model", "--version", "1.0.0")
        for left in (0, 8192, 65536, 500_000, 1_000_000):
            with self.subTest(left):
                ballast = self.fill(self.p.store("backup"), left)
                result = self.p.run("publish", "model:1.0.0")
                self.assertClean(result, (4,), ("DT006",))
                for name in ("local", "backup"):
                    self.assertEqual(walker.visible(self.p.store(name)), set())
                    self.assertEqual([p.name for p in self.p.store(name).rglob("*") if p.is_file() and p != ballast], [])
                self.assertEqual(list(self.p.project.glob("deployment/publish/*.json")), [])
                ballast.unlink()
        result = self.p.run("publish", "model:1.0.0", "--json")
        self.assertEqual(result.code, 0, str(result))
        self.assertEqual({target["result"] for target in json.loads(result.out)["data"]["targets"]}, {"published"})
        self.mount(self.p.project / "dist", "size=512k")
        result = self.p.run("pack", "./big", "--type", "model", "--version", "2.0.0")
        self.assertClean(result, (4,), ("DT006",))
        self.assertEqual(list((self.p.project / "dist").iterdir()), [])
        self.assertEqual(len(list(self.p.project.glob("deployment/manifests/*"))), 1)

    def test_a_read_only_file_system(self):
        self.mount(self.p.root, "size=6m")
        two_published(self.p)
        before = walker.facts(self.p.root)
        subprocess.run(["mount", "-o", "remount,ro", self.p.root], check=True)
        for command in (("deploy", "model:2.0.0"), ("rollback", "model"), ("version", "switch", "model", "2.0.0"),
                        ("deploy", "model:1.0.0", "--force")):
            result = self.p.run(*command, "--yes")
            self.assertNotEqual(result.code, 0, str(result))
            self.assertRegex(result.err, CLEAN)
        self.assertClean(self.p.run("deploy", "model:2.0.0", "--yes"), (4, 5), ("DT004", "DT005"))
        for command in (("status",), ("links", "verify"), ("version", "list", "model"), ("history",),
                        ("version", "verify", "model:1.0.0"), ("deploy", "model:2.0.0", "--dry-run"), ("recover",),
                        ("deploy", "model:1.0.0")):
            self.p.ok(*command)  # what reads or has nothing to do needs no writing
        self.assertEqual(walker.facts(self.p.root), before)
        subprocess.run(["mount", "-o", "remount,rw", self.p.root], check=True)
        self.assertRecovers(self.p, ("deploy", "model:2.0.0"))


if __name__ == "__main__":
    rig.main()
