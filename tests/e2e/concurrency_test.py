#!/usr/bin/python3
"""Several processes on one deploy root, one project and one set of links (D3, D15, D177, D286)."""
import contextlib
import json
import os
import pathlib
import pwd
import signal
import subprocess
import threading
import time
import unittest

import rig
import walker

TYPES = ("config", "data", "model", "runtime", "tools")
PATIENCE = 60  # seconds until something that must happen counts as missing


class Running:
    """The tool in the background; `with` ends it whatever happens."""

    def __init__(self, p, *arguments, env=None):
        self.command = [rig.TOOL, *arguments]
        self.process = subprocess.Popen(self.command, cwd=p.project, env=p.environment(env),  # pylint: disable=consider-using-with
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        if self.process.poll() is None:
            self.process.kill()
        self.finish()

    def finish(self):
        out, err = self.process.communicate(timeout=PATIENCE)
        return rig.Result(self.command, self.process.returncode, out.decode(), err.decode())

    def stop(self):
        self.process.send_signal(signal.SIGSTOP)
        await_that(lambda: self.state() == "T", "the process to stop")

    def go_on(self):
        self.process.send_signal(signal.SIGCONT)

    def has_open(self, path):
        for descriptor in pathlib.Path(f"/proc/{self.process.pid}/fd").iterdir():
            try:
                if os.readlink(descriptor) == str(path):
                    return True
            except FileNotFoundError:
                pass  # closed meanwhile
        return False

    def state(self):
        return pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()[0]


def await_that(condition, what):
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"waited in vain for {what}")
        time.sleep(0.002)


class Base(unittest.TestCase):
    def setUp(self):
        folder = rig.scratch("slipway-e2e-")
        self.addCleanup(rig.remove_tree, folder)
        self.p = rig.Project(folder)

    def publish(self, kinds, versions=("1.0.0", "2.0.0")):
        """Publishes every version of every kind; its files tell which one they are of."""
        for version in versions:
            for kind in kinds:
                self.p.write_source(f"source-{kind}", self.files(version))
                self.p.ok("pack", f"./source-{kind}", "--type", kind, "--version", version)
            self.p.ok("publish", *(f"{kind}:{version}" for kind in kinds))

    @staticmethod
    def files(version):
        return {"id": version, "sub/same": version * 100}

    def known(self, versions=("1.0.0", "2.0.0")):
        return {version: walker.content(self.files(version)) for version in versions}

    @contextlib.contextmanager
    def stopped_deploy(self, spec, *options):
        """A deploy that stands still after it has staged, with the lock of its type and no other."""
        slow = {"SLIPWAY_FAILPOINTS": "deploy.stage.after=delay,deploy.place.*=delay"}
        staging = self.p.root / ".deploy-tool" / "staging"
        with Running(self.p, "deploy", spec, "--yes", *options, env=slow) as run:
            await_that(lambda: any(staging.glob("*/0/files.zst")), "the deploy to stage")
            run.stop()
            yield run


class Locks(Base):
    """D177."""

    def setUp(self):
        super().setUp()
        self.publish(("model", "config"))
        self.p.ok("deploy", "model:1.0.0", "--yes")

    def test_another_type_is_deployed_meanwhile(self):
        with self.stopped_deploy("model:2.0.0") as run:
            self.p.ok("deploy", "config:1.0.0", "--yes")
            self.p.ok("version", "list", "model")  # readers take no lock
            self.p.ok("status")
            self.assertEqual(self.p.current("config"), "1.0.0")
            self.assertEqual(self.p.current("model"), "1.0.0")
            run.go_on()
            result = run.finish()
        self.assertEqual(result.code, 0, str(result))
        self.assertEqual((self.p.current("config"), self.p.current("model")), ("1.0.0", "2.0.0"))
        for kind in ("config", "model"):
            self.assertEqual(walker.readable_version(self.p.root / "active" / kind, self.known()), self.p.current(kind))

    def test_the_same_type_is_refused_and_told_by_whom(self):
        user = pwd.getpwuid(os.getuid()).pw_name
        with self.stopped_deploy("model:2.0.0", "--reason", "first") as run:
            for command in (("deploy", "model:2.0.0"), ("deploy", "config:1.0.0", "model:2.0.0"),
                            ("deploy", "model:1.0.0", "--force")):
                result = self.p.run(*command, "--yes", "--json")
                self.assertEqual(result.code, 11, str(result))
                error = result.json()["error"]
                self.assertEqual(error["code"], "DT021")
                told = json.dumps(error)
                for part in (f"pid {run.process.pid} on {os.uname().nodename}", f"user {user}", "deploy model:2.0.0 --yes --reason first"):
                    self.assertIn(part, told)
                self.assertRegex(told, r"20\d\d-\d\d-\d\d[T ]\d\d:\d\d:\d\d")
            run.go_on()
            self.assertEqual(run.finish().code, 0)
        self.assertEqual(self.p.current("model"), "2.0.0")
        self.assertIsNone(self.p.current("config"))

    def test_who_waits_gets_the_lock(self):
        with self.stopped_deploy("model:2.0.0") as run:
            with Running(self.p, "deploy", "model:1.0.0", "--force", "--yes", "--wait-lock", f"{PATIENCE}s") as waiting:
                lock = self.p.root / ".deploy-tool" / "locks" / "model.lock"
                await_that(lambda: waiting.has_open(lock), "the second deploy")
                self.assertIsNone(waiting.process.poll())
                run.go_on()
                self.assertEqual(run.finish().code, 0)
                second = waiting.finish()
        self.assertEqual(second.code, 0, str(second))
        self.assertEqual(self.p.current("model"), "1.0.0")
        self.assertEqual([line["changes"][0]["to"] for line in walker.history(self.p.root)],
                         ["1.0.0", "2.0.0", "1.0.0"])

    def test_waiting_ends(self):
        with self.stopped_deploy("model:2.0.0") as run:
            result = self.p.run("deploy", "model:2.0.0", "--yes", "--wait-lock", "100ms")
            self.assertEqual(result.code, 11, str(result))
            run.go_on()
            self.assertEqual(run.finish().code, 0)

    def test_a_lock_dies_with_its_process(self):
        with self.stopped_deploy("model:2.0.0") as run:
            run.process.kill()
        self.p.ok("deploy", "model:2.0.0", "--yes")
        self.assertEqual(walker.leftovers(self.p.root), [])
        self.assertEqual(self.p.current("model"), "2.0.0")


class Crowd(Base):
    def test_fifty_deploys_of_five_types(self):
        """D286: all get through; what is left is whole, and the history is one chain."""
        self.publish(TYPES)
        queue = [(TYPES[i % 5], ("1.0.0", "2.0.0")[i // 5 % 2]) for i in range(50)]
        lock, failures = threading.Lock(), []

        def work():
            while True:
                with lock:
                    if not queue:
                        return
                    kind, version = queue.pop()
                result = self.p.run("deploy", f"{kind}:{version}", "--yes", "--wait-lock", f"{PATIENCE}s",
                                    timeout=2 * PATIENCE)
                if result.code != 0:
                    failures.append(str(result))

        threads = [threading.Thread(target=work) for _ in range(10)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])
        self.check_root()

    def check_root(self):
        self.assertEqual(walker.leftovers(self.p.root), [])
        now, generations = {}, []
        for line in walker.history(self.p.root):
            generations.append(line["generation"])
            for change in line["changes"]:
                self.assertEqual(change.get("from"), now.get(change["type"]), f"the chain is broken: {line}")
                now[change["type"]] = change["to"]
        self.assertEqual(generations, list(range(1, len(generations) + 1)))
        for kind in TYPES:
            self.assertEqual(self.p.current(kind), now[kind])
            for link in ("links", "active"):
                self.assertEqual(walker.readable_version(self.p.root / link / kind, self.known()), now[kind])
            for version in walker.installed(self.p.root)[kind]:
                self.assertEqual(walker.read_tree(self.p.root / "components" / kind / version),
                                 walker.content(self.files(version)))
        self.p.ok("links", "verify")

    def test_two_publishers_to_different_stores_share_one_record(self):
        """D15."""
        stores = ("a", "b", "c", "d")
        self.p.configure(stores=stores)
        self.p.write_source("models", {"id": "1"})
        delays = ("", "publish.record.before=delay", "publish.record.after=delay", "publish.object.after=delay:1")
        for number, delay in enumerate(delays):
            spec = f"model:1.0.{number}"
            self.p.ok("pack", "./models", "--type", "model", "--version", f"1.0.{number}")
            with Running(self.p, "publish", spec, "--to", "a", "--to", "b", env={"SLIPWAY_FAILPOINTS": delay}) as one, \
                    Running(self.p, "publish", spec, "--to", "c", "--to", "d") as other:
                for run in (one, other):
                    result = run.finish()
                    self.assertEqual(result.code, 0, str(result))
            record = self.p.project / "deployment" / "publish" / f"model-1.0.{number}.publish.json"
            locations = json.loads(record.read_text())["locations"]
            self.assertEqual(sorted(location["name"] for location in locations), list(stores), delay)
            for store in stores:
                self.assertIn(("model", f"1.0.{number}"), walker.visible(self.p.store(store)))

    def test_two_publishers_of_the_same_version_to_the_same_store(self):
        self.p.write_source("models", {"id": "1" * 100000})
        self.p.ok("pack", "./models", "--type", "model", "--version", "1.0.0")
        with contextlib.ExitStack() as stack:
            runs = [stack.enter_context(Running(self.p, "publish", "model:1.0.0")) for _ in range(4)]
            results = [run.finish() for run in runs]
        self.assertEqual([r.code for r in results], [0] * 4, "\n".join(map(str, results)))
        for name in ("local", "backup"):
            self.assertEqual(walker.visible(self.p.store(name)), {("model", "1.0.0")})
        record = self.p.project / "deployment" / "publish" / "model-1.0.0.publish.json"
        self.assertEqual(len(json.loads(record.read_text())["locations"]), 2)


class Readers(Base):
    def test_readers_never_miss_a_file_while_versions_switch(self):
        """D3, over the built program: a short form of what the unit tests do a thousand times."""
        self.publish(("model",))
        for version in ("1.0.0", "2.0.0"):
            self.p.ok("deploy", f"model:{version}", "--yes")
        paths = [self.p.root / path for path in ("links/model", "components/model/current", "active/model")]
        stop, wrong, counts = threading.Event(), [], [0] * 8

        def read(number):
            path, before = str(paths[number % 3]), ("1.0.0", "2.0.0")
            while not stop.is_set():
                try:
                    with open(path + "/id", encoding="ascii") as file:
                        version = file.read()
                    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
                    try:  # what is opened once is one version
                        texts = []
                        for name in ("id", "sub/same"):
                            with open(os.open(name, os.O_RDONLY, dir_fd=folder), encoding="ascii") as file:
                                texts.append(file.read())
                    finally:
                        os.close(folder)
                    if version not in before or texts[1] != texts[0] * 100:
                        wrong.append(f"{path}: {version} {texts[0]}")
                except OSError as error:
                    wrong.append(str(error))
                counts[number] += 1

        threads = [threading.Thread(target=read, args=(n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        try:
            for number in range(100):
                self.p.ok("version", "switch", "model", ("1.0.0", "2.0.0")[number % 2], "--yes")
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        self.assertEqual(wrong[:5], [])
        self.assertGreater(min(counts), 100, counts)


if __name__ == "__main__":
    rig.main()
