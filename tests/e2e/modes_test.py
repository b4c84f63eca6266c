#!/usr/bin/python3
"""What deploy-tool makes for itself has the modes that the umask leaves (D51)."""
import os
import pathlib
import stat
import subprocess
import tempfile
import unittest

import rig

COMMANDS = (
    ("init", "--name", "modes", "--type", "model", "--yes"),
    ("pack", "./data", "--type", "model", "--version", "1.0.0"),
    ("publish", "model:1.0.0", "--release-version", "2024.01"),
    ("deploy", "model:1.0.0"),
)


class Modes(unittest.TestCase):
    def run_all(self, umask, target=""):
        """Every path of a project and its deploy root after the main commands, with its mode."""
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        project = pathlib.Path(holder.name) / "p"
        project.mkdir()
        (project / "data").mkdir()
        (project / "data" / "file").write_text("content\n")
        os.chmod(project / "data" / "file", 0o644)
        for arguments in COMMANDS:
            run = subprocess.run([rig.TOOL, *arguments], cwd=project, preexec_fn=lambda: os.umask(umask),
                                 capture_output=True, text=True, check=False)
            self.assertEqual(run.returncode, 0, (arguments, run.stderr))
            if arguments[0] == "init":
                (project / ".deploy-tool.yaml").write_text(
                    'version: "1.0"\nproject: {name: modes, type: model}\n'
                    f"publish:\n  targets:\n    - {{name: local, type: filesystem, path: made/store{target}}}\n"
                    "deploy:\n  root: made/root\n")
        modes = {}
        for folder, folders, files in os.walk(project):
            for name in folders + files:
                path = pathlib.Path(folder) / name
                if not path.is_symlink() and path.name != ".deploy-tool.yaml":
                    modes[str(path.relative_to(project))] = path.lstat().st_mode
        return modes

    def wrong(self, modes, file_mode, folder_mode):
        """Paths that have another mode; what was packed keeps its own (D193)."""
        packed = ("data", "made/root/components/model/1.0.0/")
        return {path: oct(mode) for path, mode in modes.items()
                if not path.startswith(packed) and
                stat.S_IMODE(mode) != (folder_mode if stat.S_ISDIR(mode) else file_mode)}

    def test_only_the_owner_with_a_strict_umask(self):
        modes = self.run_all(0o077)
        self.assertEqual(self.wrong(modes, 0o600, 0o700), {})
        self.assertGreater(len(modes), 30)
        packed = modes["made/root/components/model/1.0.0/file"]
        self.assertEqual(stat.S_IMODE(packed), 0o644)

    def test_the_group_writes_with_a_shared_umask(self):
        self.assertEqual(self.wrong(self.run_all(0o002), 0o664, 0o775), {})

    def test_a_root_is_not_for_everybody_to_write_without_any_umask(self):
        modes = self.run_all(0)
        self.assertEqual({path for path, mode in modes.items()
                          if path.startswith("made/root/") and mode & 0o002}, set())

    def test_a_target_with_a_mode_of_its_own(self):
        modes = self.run_all(0o077, ", mode: '0640'")
        store = {path: mode for path, mode in modes.items() if path.startswith("made/store/")}
        self.assertEqual(self.wrong(store, 0o640, 0o750), {})
        others = {path: mode for path, mode in modes.items()
                  if path != "made" and not path.startswith("made/store")}  # the way to the store too
        self.assertEqual(self.wrong(others, 0o600, 0o700), {})


if __name__ == "__main__":
    rig.main()
