"""Many trials on copies of one prepared project, a few at a time."""
import itertools
import pathlib
import re
import shutil
import threading
import unittest

import rig
import walker

WORKERS = 4


def in_parallel(jobs):
    """Runs the callables on a few threads; all their failures in one."""
    jobs, failures, lock = iter(list(jobs)), [], threading.Lock()

    def work():
        while True:
            with lock:
                job = next(jobs, None)
            if job is None:
                return
            try:
                job()
            except Exception as error:  # pylint: disable=broad-except
                failures.append(f"{type(error).__name__}: {error}")

    threads = [threading.Thread(target=work) for _ in range(WORKERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise AssertionError(f"{len(failures)} failures, first:\n" + "\n\n".join(failures[:3]))


class Bench:
    """Copies of a prepared project, each at a place of its own."""

    def __init__(self, folder, prepare, config=""):
        self.folder = pathlib.Path(folder)
        self.numbers = itertools.count()
        self.model = rig.Project(self.folder / "model")
        self.model.configure(config)
        prepare(self.model)

    def copy(self):
        place = self.folder / f"trial-{next(self.numbers)}"
        shutil.copytree(self.model.folder, place, symlinks=True)
        p = object.__new__(rig.Project)
        p.folder, p.root, p.home, p.project = place, place / "deployments", place / "home", place / "project"
        config = p.project / ".deploy-tool.yaml"
        config.write_text(config.read_text().replace(str(self.model.folder), str(place)))
        # What the tool knows a directory by must still hold in the copy.
        for state in p.root.glob(".deploy-tool/state/*.json"):
            text = state.read_text()
            for version in (p.root / "components" / state.stem).iterdir():
                if version.is_dir() and not version.is_symlink():
                    twin = self.model.root / version.relative_to(p.root)
                    text = text.replace(f'"inode": {twin.stat().st_ino},', f'"inode": {version.stat().st_ino},')
            state.write_text(text)
        return p

    def facts(self, p):
        """facts() of the root of `p`, with its place taken out and each source as good as another."""
        return {name: re.sub("'source': '(local|backup|cache)'", "'source'", repr(value).replace(str(p.folder), "@"))
                for name, value in walker.facts(p.root).items()}


class BenchTest(unittest.TestCase):
    maxDiff = None

    def bench(self, prepare, config=""):
        folder = rig.scratch("slipway-trials-")
        self.addCleanup(rig.remove_tree, folder)
        return Bench(folder, prepare, config)
