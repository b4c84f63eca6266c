#!/usr/bin/python3
"""D201: --json is one object on stdout for every command, in success and failure, with keys that stay."""
import json
import pathlib
import re
import subprocess
import unittest

import rig
import rows

# The words of a shape: a key of an object must be there, and no other; "x?" may be null.
TEXT, INT, BOOL = "text", "int", "bool"
TIME, SHA256, TX = "time", "sha256", "tx"
COMPONENT = {"type": TEXT, "version": TEXT}
CHANGE = {
    "tx": "tx?", "target": TEXT, "dry_run": BOOL, "generation": "int?", "rolled_back": BOOL,
    "components": [{**COMPONENT, "previous": "text?", "action": "action", "source": "text?", "source_reason": "text?",
                    "bytes_fetched": INT, "bytes_reused": INT, "cache": "cache", "phases_ms": {"*": INT}}],
    "links": [{"path": TEXT, "from": "text?", "to": "text?"}],
    "steps": [{"step": TEXT, "detail": TEXT, "bytes": INT}],
}
LINK = {"kind": TEXT, "path": TEXT, "target": "text?", "expected": "text?", "type": "text?", "version": "text?",
        "state": "link_state", "detail": "text?"}
HISTORY = {"at": TIME, "tx": TX, "operation": TEXT, "user": TEXT, "host": TEXT, "release": "text?", "reason": "text?",
           "changes": [{"type": TEXT, "from": "text?", "to": "text?", "installed": "text?", "source": "text?"}],
           "generation": "int?", "duration_ms": INT}
PACKAGE = {**COMPONENT, "created_at": TIME, "file": TEXT, "size": INT, "algorithm": TEXT, "sha256": SHA256,
           "files": "int?", "bytes": "int?", "source_path": TEXT, "description": "text?"}
RELEASE = {"version": TEXT, "name": "text?", "created_at": TIME, "total_size": INT,
           "components": [{**COMPONENT, "manifest": TEXT, "sha256": SHA256}]}
PUBLISH = {"dry_run": BOOL, "records": [TEXT], "release": "text?",
           "targets": [{**COMPONENT, "target": TEXT, "result": TEXT, "bytes_uploaded": INT, "message": TEXT}]}
PATHS = ("project", "config", "deployment", "manifests", "releases", "configs", "publish", "dist", "cache", "deploy_root")

# Command lines in their order, and the shape of `data`.
SESSION = (
    (("init", "@/new", "--name", "new"), {"project": TEXT, "path": TEXT, "dry_run": BOOL, "created": [TEXT]}),
    (("pack", "--type", "model", "--version", "1.2.0"), "pack"),
    (("pack", "--type", "model", "--version", "1.2.0"), "pack"),
    (("pack", "--type", "model", "--version", "1.3.0", "--dry-run"), "pack"),
    (("publish", "model:1.2.0", "--dry-run"), PUBLISH),
    (("publish", "model:1.2.0", "--release-version", "2024.01.20", "--release-name", "first"), PUBLISH),
    (("release", "create", "model:1.2.0"), PUBLISH),
    (("release", "list"), {"releases": [RELEASE]}),
    (("release", "show", "2024.01.20"), RELEASE),
    (("deploy", "model:1.2.0", "--dry-run"), CHANGE),
    (("deploy", "model:1.2.0", "--target", "staging", "--dry-run"), CHANGE),
    (("deploy", "--release", "2024.01.20", "--reason", "because"), CHANGE),
    (("deploy", "model:1.2.0"), CHANGE),
    (("version", "list", "model"), {
        "type": TEXT, "root": TEXT,
        "versions": [{**COMPONENT, "current": BOOL, "previous": BOOL, "pinned": BOOL, "bad": BOOL, "tags": [TEXT],
                      "deployed_at": "time?", "last_active_at": "time?", "bytes": INT, "files": INT,
                      "sha256": "sha256?", "source": "text?"}]}),
    (("version", "switch", "model", "1.0.0"), CHANGE),
    (("version", "verify", "model"), {"component": COMPONENT, "deep": BOOL, "intact": BOOL, "drift": []}),
    (("rollback", "model"), CHANGE),
    (("rollback", "--to", "1"), CHANGE),
    (("generation", "list"), {"root": TEXT, "generations": [
        {"number": INT, "active": BOOL, "incomplete": BOOL, "components": [COMPONENT]}]}),
    (("links", "list"), {"root": TEXT, "links": [LINK]}),
    (("links", "verify"), {"root": TEXT, "links": [], "ok": BOOL}),
    (("links", "repair"), {**CHANGE, "refused": []}),
    (("component", "list"), {"components": [PACKAGE]}),
    (("component", "show", "model:1.2.0"), {**PACKAGE, "manifest": TEXT,
                                            "locations": [{"name": TEXT, "type": TEXT, "url": "text?"}]}),
    (("status",), {"root": TEXT, "root_id": TEXT, "generation": "int?", "generations": INT, "free_bytes": INT,
                   "total_bytes": INT, "last_change": HISTORY, "unfinished": [TEXT], "links_bad": INT,
                   "components": [{"type": TEXT, "current": "text?", "previous": "text?", "versions": INT,
                                   "bytes": INT, "active_since": "time?", "bad": BOOL}]}),
    (("history", "model"), {"root": TEXT, "entries": [HISTORY]}),
    (("recover",), {"transactions": [], "running": [], "leftovers_removed": INT}),
    (("recover", "--dry-run"), {"dry_run": BOOL, "unfinished": [TEXT]}),
    (("config", "show"), {"file": TEXT, "values": [{"key": TEXT, "value": TEXT, "origin": TEXT}]}),
    (("config", "show", "--defaults"), {"values": [{"key": TEXT, "value": TEXT, "origin": TEXT}]}),
    (("config", "validate"), {"file": TEXT, "valid": BOOL}),
    (("paths",), {name: TEXT for name in PATHS}),
    (("paths", "--resolve", "models"), {"path": TEXT}),
    (("paths", "--validate", "models"), {"path": TEXT, "inside_project": BOOL}),
    (("completion", "bash"), {"shell": TEXT, "script": TEXT}),
    (("help", "pack"), {"command": TEXT, "help": TEXT}),
)
PACK = {"component": COMPONENT, "dry_run": BOOL, "unchanged": BOOL, "package": "text?", "manifest": TEXT,
        "algorithm": TEXT, "size": "int?", "sha256": "sha256?", "source_bytes": INT, "source_files": INT,
        "excluded": {"*": INT}}
WORDS = {"action": ("installed", "already_installed", "switched", "already_current"), "cache": ("hit", "miss"),
         "link_state": ("ok", "missing", "dangling", "wrong-target", "not-a-link", "foreign")}
PATTERNS = {TIME: r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", SHA256: r"[0-9a-f]{64}", TX: r"\d{8}T\d{6}\.\d+Z-[0-9a-f]{8}"}


def misfits(value, shape, where="data"):
    """What of `value` is not as `shape` says; one line each."""
    if isinstance(shape, list):
        if not isinstance(value, list):
            return [f"{where} is no list"]
        if not shape:
            return [f"{where} is not empty"] if value else []
        return [line for i, item in enumerate(value) for line in misfits(item, shape[0], f"{where}[{i}]")]
    if isinstance(shape, dict):
        if not isinstance(value, dict):
            return [f"{where} is no object"]
        if "*" in shape:
            return [line for key, item in value.items() for line in misfits(item, shape["*"], f"{where}.{key}")]
        found = [f"{where}.{key} is missing" for key in shape if key not in value]
        found += [f"{where}.{key} is new" for key in value if key not in shape]
        return found + [line for key in shape if key in value for line in misfits(value[key], shape[key], f"{where}.{key}")]
    if shape.endswith("?"):
        return [] if value is None else misfits(value, shape[:-1], where)
    good = {INT: type(value) is int, BOOL: type(value) is bool, TEXT: isinstance(value, str)}.get(shape)
    if good is None:
        good = value in WORDS[shape] if shape in WORDS else \
            isinstance(value, str) and re.fullmatch(PATTERNS[shape], value) is not None
    return [] if good else [f"{where} is no {shape}: {value!r}"]


class Json(rows.RowsTest):
    """The envelope of spec 6.15."""

    def envelope(self, done):
        """The one object on stdout, checked; `done` is of subprocess.run or a rig.Result."""
        self.assertTrue(done.out.endswith("}\n"), done)
        self.assertEqual(done.out.count("\n"), 1, "one line, for programs that read lines")
        json_tool = subprocess.run(["/usr/bin/python3", "-m", "json.tool"], input=done.out, text=True,
                                   capture_output=True, check=False) if self.slow else None
        self.assertTrue(json_tool is None or json_tool.returncode == 0)
        value = json.loads(done.out)
        self.assertEqual(misfits({k: v for k, v in value.items() if k not in ("data", "error")}, {
            "schema": TEXT, "command": TEXT, "ok": BOOL, "tool_version": TEXT, "duration_ms": INT,
            "warnings": [{"code": TEXT, "message": TEXT}]}, "envelope"), [])
        self.assertEqual(list(value), ["schema", "command", "ok", "tool_version", "duration_ms", "data", "warnings", "error"])
        self.assertEqual(value["schema"], "deploy-tool/1")
        self.assertIsInstance(value["data"], dict)
        if value["ok"]:
            self.assertEqual((done.code, value["error"]), (0, None))
        else:
            self.assertEqual(misfits(value["error"], {"code": "text", "exit": INT, "message": TEXT, "cause": "text?",
                                                      "hint": "text?", "details": {"*": BOOL}}, "error"), [])
            self.assertRegex(value["error"]["code"], r"\ADT\d{3}\Z")
            self.assertEqual(value["error"]["exit"], done.code)
        return value

    slow = False

    def test_every_command_says_what_it_did_with_stable_keys(self):  # D201
        self.slow = True
        folder = self.copy(False)
        (folder / "project/models/new.txt").write_text("new")
        seen = set()
        for arguments, shape in SESSION:
            with self.subTest(arguments=arguments):
                row = rows.Row([f"- {arguments}", "$ deploy-tool " + " ".join(arguments) + " --json"])
                done, _ = self.run_row(row, folder, False)
                value = self.envelope(done)
                self.assertTrue(value["ok"], done)
                self.assertEqual(done.err, "", "progress and warnings are not mixed into it")
                words = " ".join(arguments)
                self.assertTrue(words.startswith(value["command"]), value["command"])
                seen.add(value["command"])
                self.assertEqual(misfits(value["data"], PACK if shape == "pack" else shape), [])
        listed = subprocess.run([rig.TOOL, "__complete", "fish", ""], capture_output=True, text=True, check=True).stdout
        first = {line.split("\t")[0] for line in listed.splitlines() if not line.startswith("-")}
        self.assertEqual({command.split()[0] for command in seen}, first, "a command is missing here")

    def test_every_refused_input_is_one_object_with_the_same_error(self):  # D135, D201, D204
        for path in sorted((pathlib.Path(__file__).resolve().parent / "bad_input").glob("*.txt")):
            shared = self.copy(False)
            for row in rows.read_rows(path):
                # Rows with a folder of their own would take twice the time and go the same way.
                if row.own_copy or "exit 0" in row.expected:
                    continue
                with self.subTest(file=path.name, row=row.name):
                    row.arguments = ["--json", *row.arguments]
                    done, before = self.run_row(row, shared, False)
                    value = self.envelope(done)
                    self.check_changes(row, before, rig.tree(shared))
                    self.assertFalse(value["ok"])
                    self.assertEqual(done.err, "")
                    expected = next(line for line in row.expected if line.startswith("error["))
                    error = value["error"]
                    message = re.sub(r"\b[0-9a-f]{64}\b", "SHA256", error["message"]).replace(str(shared), "@")
                    said = f"error[{error['code']}]: {message}".split("\n")[0]
                    if "\x1b" not in said:  # text escapes it, JSON has escapes of its own
                        number = re.compile(r"argument \d+")  # one more for --json
                        self.assertEqual(number.sub("argument N", said), number.sub("argument N", expected))
                    self.assertEqual(row.expected[-1], f"exit {error['exit']}")
                    self.assertTrue(error["hint"])

    def test_a_failed_change_says_that_it_was_undone(self):  # D27, D201
        folder = self.copy(False)
        for store in ("local", "backup"):
            rows.put_package(folder / f"store-{store}", "model:2.0.0", rows.tar_gz(rows.HOSTILE["dotdot"]))
        done, _ = self.run_row(rows.Row(["- x", "$ deploy-tool deploy model:2.0.0 --json"]), folder, False)
        error = self.envelope(done)["error"]
        self.assertEqual(error["code"], "DT023")
        self.assertIn("rolled_back", error["details"])

    def test_a_check_that_found_something_has_data_and_an_error(self):  # D36, D150, D201
        folder = self.copy(False)
        (folder / "deployments/components/model/1.1.0/weights.bin").write_text("other")
        (folder / "deployments/links/model").unlink()
        done, _ = self.run_row(rows.Row(["- x", "$ deploy-tool version verify model --json"]), folder, False)
        value = self.envelope(done)
        self.assertEqual((value["error"]["code"], done.code), ("DT050", 15))
        self.assertEqual(misfits(value["data"]["drift"], [{"kind": TEXT, "path": TEXT, "detail": TEXT}]), [])
        self.assertEqual([d["path"] for d in value["data"]["drift"]], ["weights.bin"])
        done, _ = self.run_row(rows.Row(["- x", "$ deploy-tool links verify --json"]), folder, False)
        value = self.envelope(done)
        self.assertEqual((value["data"]["ok"], [link["state"] for link in value["data"]["links"]]), (False, ["missing"]))
        self.assertEqual(misfits(value["data"]["links"], [LINK]), [])

    def test_progress_events_are_lines_on_stderr(self):  # D201
        folder = self.copy(False)
        row = rows.Row(["- x", "$ deploy-tool pack --type model --version 3.0.0 --json --progress json"])
        done, _ = self.run_row(row, folder, False)
        self.envelope(done)
        events = [json.loads(line) for line in done.err.splitlines()]
        self.assertTrue(events)
        for event in events:
            self.assertEqual(event["event"], "progress")
            self.assertLessEqual({"event", "phase", "component", "bytes", "files", "rate"}, set(event))


if __name__ == "__main__":
    rig.main()
