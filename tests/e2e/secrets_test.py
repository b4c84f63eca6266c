#!/usr/bin/python3
"""Credentials are never recorded (D16): canaries are planted wherever a user keeps secrets, every
command runs and fails in every manner of output, and then no produced byte holds one.
"""
import base64
import gzip
import os
import pathlib
import subprocess
import unittest
import urllib.parse

import rig

ENVIRONMENT = {"STORE_TOKEN": "CANARY-token/4711+x", "AWS_SECRET_ACCESS_KEY": "CANARY-key-4711",
               "DB_PASSWORD": 'CANARY-"pass\\word', "MY_API_KEY": "CANARY-api-4711",
               "GIT_CREDENTIAL": "https://user:CANARY-cred@host/repository"}
FILE = "CANARY-file-4711"
URL = "https://user:CANARY-url@host/store"
SIGNED = "https://host/store?X-Amz-Signature=CANARY-signed"
LEVELS = ((), ("--verbose",), ("--debug",), ("--json",), ("--debug", "--json"), ("--quiet",))


def forms(secret):
    """How the bytes of a secret may look after a round through a format."""
    raw = secret.encode()
    return {raw, base64.b64encode(raw), raw.hex().encode(), urllib.parse.quote(secret, safe="").encode(),
            secret.replace("\\", "\\\\").replace('"', '\\"').encode()}


CANARIES = {form for secret in (*ENVIRONMENT.values(), FILE, "CANARY") for form in forms(secret)}


class Secrets(rig.ProjectTest):
    def setUp(self):
        super().setUp()
        self.seen = []
        self.planted = {self.p.project / ".deploy-tool.yaml", self.p.home / ".credentials"}
        (self.p.home / ".credentials").write_text(f"[default]\naws_secret_access_key = {FILE}\n")
        (self.p.home / ".credentials").chmod(0o600)
        self.environment = {**ENVIRONMENT, "AWS_SHARED_CREDENTIALS_FILE": str(self.p.home / ".credentials")}

    def run_tool(self, *arguments, code=None, env=None):
        result = self.p.run(*arguments, env={**self.environment, **(env or {})})
        self.seen.append(result)
        if code is not None:
            self.assertExit(result, code)
        return result

    def find_canaries(self):
        """Where a canary stands: in an output, a file (a package unpacked), a name or a link."""
        found = []

        def look(data, where):
            found.extend(f"{where}: {canary}" for canary in CANARIES if canary in data)

        for result in self.seen:
            look(result.out.encode() + result.err.encode(), f"output of {result.command[1:]}")
        for path in self.p.folder.rglob("*"):
            look(os.fsencode(path), "name")
            if path.is_symlink():
                look(os.fsencode(os.readlink(path)), path)
            elif path.is_file() and path not in self.planted:
                data = path.read_bytes()
                look(data, path)
                if path.suffix == ".gz":
                    look(gzip.decompress(data), path)
                if path.suffix == ".zst":
                    look(subprocess.run(["zstd", "-dcq", path], capture_output=True, check=True).stdout, path)
        return sorted(set(found))

    def install(self):
        self.p.write_source("models", {"weights": "1"})
        for version in ("1.0.0", "1.1.0"):
            self.run_tool("pack", "./models", "--type", "model", "--version", version, code=0)
        self.run_tool("publish", "model:1.0.0", "--release-version", "2024.01.20", "--debug", code=0)
        self.run_tool("publish", "model:1.1.0", code=0)
        self.run_tool("deploy", "model:1.0.0", "--debug", "--yes", code=0)

    def test_the_search_finds_what_is_planted(self):
        (self.p.folder / "log").write_text("token=CANARY-token/4711+x")
        (self.p.folder / "CANARY-file-4711").mkdir()
        with gzip.open(self.p.folder / "x.gz", "wb") as file:
            file.write(b"CANARY-key-4711")
        found = "\n".join(self.find_canaries())
        for part in ("/log: ", "name: ", "x.gz: "):
            self.assertIn(part, found)

    def test_no_command_that_works_repeats_a_secret(self):
        self.install()
        commands = [("deploy", "model:1.1.0"), ("rollback", "model"), ("version", "switch", "model", "1.1.0"),
                    ("version", "list", "model"), ("version", "verify", "model:1.0.0"), ("links", "list"),
                    ("links", "verify"), ("links", "repair"), ("status",), ("history",), ("recover",),
                    ("config", "show"), ("config", "show", "--origin"), ("config", "validate"), ("paths",),
                    ("component", "list"), ("component", "show", "model:1.0.0"), ("release", "list"),
                    ("release", "show", "2024.01.20"), ("generation", "list"), ("publish", "model:1.0.0"),
                    ("deploy", "--release", "2024.01.20", "--dry-run"), ("completion", "bash"), ("help",)]
        for number, command in enumerate(commands):
            self.run_tool(*command, *LEVELS[number % len(LEVELS)], "--yes", code=0)
        self.assertEqual(self.find_canaries(), [])

    def test_no_command_that_fails_repeats_a_secret(self):
        self.install()
        for number, command in enumerate((
                ("deploy", "model:9.9.9"), ("publish", "none:1.0.0"), ("version", "switch", "model", "9.9.9"),
                ("rollback", "model", "--to", "7.7.7"), ("pack", "./missing", "--type", "x", "--version", "1.0.0"),
                ("config", "show", "--env", "production"), ("deploy", "model:1.0.0", "--source", "elsewhere"),
                ("--no-such-option",), ("deplyo",), ("deploy", "model:1.1.0", "--root", "/dev/null/x"))):
            result = self.run_tool(*command, *LEVELS[number % len(LEVELS)])
            self.assertNotEqual(result.code, 0, str(result))
        killed = self.run_tool("deploy", "model:1.1.0", env={"SLIPWAY_FAILPOINTS": "deploy.switch.after=crash"})
        self.assertEqual(killed.code, -9)
        self.run_tool("status", "--debug")
        self.run_tool("recover", "--json", "--debug", code=0)
        self.run_tool("deploy", "model:1.1.0", env={"SLIPWAY_FAILPOINTS": "deploy.link.before=error,"
                                                                          "deploy.active.after=error"}, code=12)
        self.assertEqual(self.find_canaries(), [])

    def test_an_argument_with_a_secret_is_refused_and_not_repeated(self):
        self.install()
        before = rig.tree(self.p.folder)
        for number, value in enumerate((*ENVIRONMENT.values(), f"see {ENVIRONMENT['MY_API_KEY']}!", URL, SIGNED)):
            commands = [("deploy", "model:1.1.0", "--reason", value), ("rollback", "model", "--reason", value),
                        ("publish", "model:1.0.0", "--release-version", "r2", "--release-name", value),
                        ("deploy", "model:1.1.0", "--target", value), ("config", "show", "--env", value),
                        ("--no-such-option", value), (value,), ("version", "list", value, "--json")]
            for command in commands if number == 0 else commands[number % len(commands):][:1]:
                result = self.run_tool(*command)
                self.assertExit(result, 3)
                self.assertIn("DT019", result.out + result.err)
        self.assertEqual(rig.tree(self.p.folder), before)
        self.assertEqual(self.find_canaries(), [])

    def test_a_manifest_or_record_with_a_secret_is_refused(self):
        self.p.write_source("models", {"weights": "1"})
        pack = ("pack", "--type", "model", "--version", "1.0.0")
        for value in ("${STORE_TOKEN}", "${DB_PASSWORD}", URL, SIGNED):
            with self.subTest(value):
                self.p.configure(f"components:\n  model: {{path: ./models, description: '{value}'}}\n")
                self.assertIn("DT019", self.run_tool(*pack, code=3).err)
                self.assertEqual(list((self.p.project).glob("dist/*")), [])
        self.p.configure("components:\n  model: {path: ./models}\n")
        for option in ("--label", "--description"):
            for value in (f"key={ENVIRONMENT['DB_PASSWORD']}", f"key={URL}"):
                self.assertIn("DT019", self.run_tool(*pack, option, value, code=3).err)
        self.run_tool(*pack, code=0)
        config = self.p.project / ".deploy-tool.yaml"
        config.write_text(config.read_text().replace(f"path: {self.p.store('backup')}",
                                                     f"path: '{self.p.store('backup')}?token=CANARY-query'"))
        result = self.run_tool("publish", "model:1.0.0", code=3)
        self.assertIn("DT019", result.err)
        self.assertEqual(list(self.p.folder.glob("store-*/*/*/*.json")), [])
        self.assertEqual(list(self.p.project.glob("deployment/publish/*.json")), [])
        # The directory of that name is the user's own choice; no record may repeat it.
        for path in self.p.folder.glob("store-backup*"):
            rig.remove_tree(path)
        self.assertEqual(self.find_canaries(), [])

    def test_secrets_in_the_configuration_are_not_repeated(self):
        self.install()
        store = str(self.p.store())
        good = (self.p.project / ".deploy-tool.yaml").read_text()
        for line in ("secret_key: CANARY-literal", "access_key: '${STORE_TOKEN}'", "token: CANARY-literal",
                     "bearer_token: [CANARY-literal]", "password: {a: CANARY-literal}", f"url: '{URL}'",
                     f"endpoint: '{URL}'", "user: CANARY-literal", "headers: {Authorization: CANARY-literal}"):
            (self.p.project / ".deploy-tool.yaml").write_text(good.replace("name: local,", f"name: local, {line},"))
            for command in (("config", "show", "--debug"), ("config", "validate", "--json"), ("publish", "model:1.0.0")):
                self.run_tool(*command, code=2)
        for path in (URL, "file://user:CANARY-url@host/x"):
            (self.p.project / ".deploy-tool.yaml").write_text(good.replace(f"path: {store}", f"path: '{path}'"))
            for command in (("publish", "model:1.0.0"), ("deploy", "model:1.1.0"), ("config", "show")):
                self.run_tool(*command, code=2)
            (self.p.project / ".deploy-tool.yaml").write_text(
                good.replace(f"root: {self.p.root}", f"root: '{path}'"))
            self.run_tool("deploy", "model:1.1.0", code=2)
        (self.p.project / ".deploy-tool.yaml").write_text(good + "metadata: {password: CANARY-literal}\n")
        self.run_tool("config", "show", "--origin", code=0)
        self.run_tool("deploy", "model:1.1.0", "--debug", code=0)
        (self.p.project / ".deploy-tool.yaml").write_text(good)
        self.run_tool("config", "show", code=2, env={"DEPLOY_TOOL__PUBLISH__TARGETS__0__SECRET_KEY": "CANARY-over"})
        self.run_tool("config", "show", code=2, env={"DEPLOY_TOOL__NO__SUCH__TOKEN": "CANARY-over"})
        self.assertEqual(self.find_canaries(), [])


if __name__ == "__main__":
    rig.main()
