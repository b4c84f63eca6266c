"""What the end-to-end tests share: a project folder, the program under test, the report of results.

A test file ends with `rig.main()`; it runs every unittest.TestCase of the file and writes the report
that tools/run_test reads. The program is found through SLIPWAY_BUILD_DIR.
"""
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

SOURCE = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = pathlib.Path(os.environ.get("SLIPWAY_BUILD_DIR", SOURCE / "build" / "dev"))
if "SLIPWAY_SOURCE_DIR" in os.environ:  # the checkout is mounted elsewhere for an unprivileged user
    BUILD = pathlib.Path(os.environ["SLIPWAY_SOURCE_DIR"]) / BUILD.relative_to(SOURCE) \
        if BUILD.is_relative_to(SOURCE) else BUILD
TOOL = str(BUILD / "bin" / "deploy-tool")
SANITIZED = BUILD.name == "asan"  # with the address sanitizer
PATIENCE = 60 * (8 if SANITIZED else 1)  # seconds until something that must happen is missed
# What the sanitizer adds to the memory of a process: shadow, and freed memory that it keeps.
SANITIZER_BYTES = 2 << 30 if SANITIZED else 0


class Result:
    def __init__(self, command, code, out, err):
        self.command, self.code, self.out, self.err = command, code, out, err

    def json(self):
        return json.loads(self.out)

    def __str__(self):
        return f"{' '.join(self.command)}\nexit {self.code}\n--- out\n{self.out}\n--- err\n{self.err}"


class Project:
    """A project with two file stores and a deploy root, in a folder of its own."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.root = self.folder / "deployments"
        self.home = self.folder / "home"
        self.home.mkdir(parents=True)
        self.project = self.folder / "project"
        self.project.mkdir()
        self.configure()

    def configure(self, extra="", stores=("local", "backup")):
        targets = "".join(f"    - {{name: {name}, type: filesystem, path: {self.store(name)}}}\n" for name in stores)
        (self.project / ".deploy-tool.yaml").write_text(
            'version: "1.0"\nproject: {name: demo, type: model}\npublish:\n  targets:\n' + targets +
            f"deploy:\n  root: {self.root}\n  allow_root: true\n" + extra)

    def store(self, name="local"):
        return self.folder / f"store-{name}"

    def environment(self, extra=None):
        keep = {k: v for k, v in os.environ.items() if not k.startswith(("DEPLOY_TOOL", "SLIPWAY_FAILPOINTS"))}
        return {**keep, "HOME": str(self.home), "LANG": "C.UTF-8", "NO_COLOR": "1", **(extra or {})}

    def run(self, *arguments, env=None, cwd=None, stdin=None, timeout=60, prefix=()):
        command = [*map(str, prefix), TOOL, *map(str, arguments)]
        feed = {"stdin": subprocess.DEVNULL} if stdin is None else {"input": stdin}
        if prefix and SANITIZED:  # the leak check cannot work while strace or a limit is on
            env = {**(env or {}), "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"}
        done = subprocess.run(command, cwd=cwd or self.project, env=self.environment(env), capture_output=True,
                              timeout=timeout, check=False, **feed)
        return Result(command, done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"))

    def ok(self, *arguments, **options):
        result = self.run(*arguments, **options)
        if result.code != 0:
            raise AssertionError(f"expected success: {result}")
        return result

    def write_source(self, name, files):
        folder = self.project / name
        shutil.rmtree(folder, ignore_errors=True)
        for path, content in files.items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content if isinstance(content, bytes) else content.encode())
        return f"./{name}"

    def publish(self, kind, version, files, *options):
        """Packs `files` as kind:version and publishes it."""
        source = self.write_source(f"source-{kind}", files)
        self.ok("pack", source, "--type", kind, "--version", version, *options)
        self.ok("publish", f"{kind}:{version}", "--yes")

    def current(self, kind):
        link = self.root / "components" / kind / "current"
        return os.readlink(link).rstrip("/") if link.is_symlink() else None


def tree(folder, skip=()):
    """Every entry below `folder` as path -> (kind, mode, content digest or link target)."""
    entries = {}
    folder = pathlib.Path(folder)
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if any(name == s or name.startswith(s + "/") for s in skip):
            continue
        status = path.lstat()
        if path.is_symlink():
            entries[name] = ("l", 0, os.readlink(path))
        elif path.is_dir():
            entries[name] = ("d", status.st_mode & 0o7777, "")
        elif not path.is_file():  # a FIFO, a socket: reading would wait
            entries[name] = ("s", status.st_mode & 0o7777, "")
        else:
            entries[name] = ("f", status.st_mode & 0o7777, _digest(path))
    return entries


def _digest(path):
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except PermissionError:
        return "unreadable"


class ProjectTest(unittest.TestCase):
    """A test with a fresh Project in self.p."""

    def setUp(self):
        folder = tempfile.mkdtemp(prefix="slipway-e2e-")
        self.addCleanup(remove_tree, folder)
        self.p = Project(folder)

    def assertExit(self, result, code):
        self.assertEqual(result.code, code, str(result))


def blocks(pid, number):
    """Whether the first thread of a process blocks a signal, so that it waits for whoever will take it."""
    status = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"SigBlk:\s*(\w+)", status).group(1), 16) & 1 << (number - 1)


def eventually(condition, what, timeout=PATIENCE, pause=0.02):
    """The first true value of condition(), which is asked again and again."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout} s: {what}")
        time.sleep(pause)


def visible(folder):
    """Names in a folder without those that begin with a dot, such as locks; sorted."""
    return sorted(name for name in os.listdir(folder) if not name.startswith("."))


def scratch(prefix):
    """A new folder in memory where there is room, for tests that are not about what a disk keeps."""
    shared = "/dev/shm"
    room = 0
    if os.access(shared, os.W_OK | os.X_OK):
        status = os.statvfs(shared)
        room = status.f_bavail * status.f_frsize
    return pathlib.Path(tempfile.mkdtemp(prefix=prefix, dir=shared if room > (256 << 20) else None)).resolve()


def remove_tree(folder):
    os.chmod(folder, 0o700)
    for path, folders, _ in os.walk(folder):
        for name in folders:
            full = os.path.join(path, name)
            if not os.path.islink(full):
                os.chmod(full, 0o700)
    shutil.rmtree(folder)


class _Recorder(unittest.TextTestResult):
    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.rows = {}

    def startTest(self, test):
        self.began = time.monotonic()
        self.row = {"name": test._testMethodName, "result": "COMPLETED"}
        self.rows.setdefault(type(test).__name__, []).append(self.row)
        super().startTest(test)

    def stopTest(self, test):
        self.row["time"] = f"{time.monotonic() - self.began:.3f}s"
        super().stopTest(test)

    def _fail(self, error):
        self.row["failures"] = [{"failure": str(error[1])}]

    def addFailure(self, test, err):
        self._fail(err)
        super().addFailure(test, err)

    def addError(self, test, err):
        self._fail(err)
        super().addError(test, err)

    def addSubTest(self, test, subtest, err):
        if err is not None:
            self._fail(err)
        super().addSubTest(test, subtest, err)

    def addSkip(self, test, reason):
        self.row["result"] = "SKIPPED"
        super().addSkip(test, reason)


def main():
    suite = unittest.defaultTestLoader.loadTestsFromModule(sys.modules["__main__"])
    if len(sys.argv) > 1:
        suite = unittest.defaultTestLoader.loadTestsFromNames(sys.argv[1:], sys.modules["__main__"])
    result = unittest.TextTestRunner(resultclass=_Recorder, verbosity=2).run(suite)
    report = os.environ.get("GTEST_OUTPUT", "")
    if report.startswith("json:"):
        suites = [{"name": name, "testsuite": rows} for name, rows in result.rows.items()]
        pathlib.Path(report[5:]).write_text(json.dumps({"testsuites": suites}))
    sys.exit(0 if result.wasSuccessful() and result.testsRun else 1)
