"""Looks at deploy roots and stores as their readers do; shares no code with the tool.

Everything here raises AssertionError with a sentence that names the file.
"""
import hashlib
import json
import os
import pathlib
import re

# Directories that the tool makes ahead and that mean nothing while they are empty.
SKELETON = ("components", "links", "generations", "index", "manifests", "state", "journal",
            "staging", "bad", "locks", "cache")
TEMPORARY = re.compile(r"(^|/)(\.slipway-tmp-|\.deploy-tool-\d)")


def digest(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def content(files):
    """What read_tree() must find for the files {path: text} of a source directory."""
    return {path: hashlib.sha256(text if isinstance(text, bytes) else text.encode()).hexdigest()
            for path, text in files.items()}


def read_tree(folder):
    """Digest of every file that can be read below `folder`, which may be a link."""
    found = {}
    for path, _, names in os.walk(os.path.realpath(folder, strict=True)):
        for name in names:
            full = os.path.join(path, name)
            found[os.path.relpath(full, os.path.realpath(folder))] = digest(full)
    return found


def readable_version(link, versions, missing_allowed=False):
    """The version whose files a reader finds through `link`; None where a link may be missing.

    `versions` is {version: content}; anything but exactly one of them is a failure.
    """
    if not os.path.lexists(link):
        if missing_allowed:
            return None
        raise AssertionError(f"{link} is missing")
    if not os.path.exists(link):
        raise AssertionError(f"{link} -> {os.readlink(link)} dangles")
    found = read_tree(link)
    for version, files in versions.items():
        if files == found:
            return version
    raise AssertionError(f"{link} -> {os.path.realpath(link)} holds no known version: {found}")


def installed(root):
    """{type: [version]} of the version directories below components/."""
    base = pathlib.Path(root) / "components"
    if not base.is_dir():
        return {}
    return {kind.name: sorted(v.name for v in kind.iterdir() if v.is_dir() and not v.is_symlink())
            for kind in sorted(base.iterdir())}


def leftovers(root):
    """Names below `root` that no finished command leaves behind."""
    root = pathlib.Path(root)
    found = [str(path.relative_to(root)) for path in root.rglob("*")
             if TEMPORARY.search(str(path.relative_to(root)))]
    for name in ("journal", "staging"):
        folder = root / ".deploy-tool" / name
        if folder.is_dir():
            found += [str(path.relative_to(root)) for path in folder.iterdir()]
    return sorted(found)


def _entry(path):
    status = path.lstat()
    if path.is_symlink():
        return ("link", os.readlink(path))
    if path.is_dir():
        return ("directory", status.st_mode & 0o7777)
    return ("file", status.st_mode & 0o7777, digest(path))


def _state(path):
    """A state file without what differs from run to run; its dir_stat must name the directory."""
    state = json.loads(path.read_text())
    for version, one in state["versions"].items():
        for key in ("deployed_at", "last_active_at", "bad_at"):
            one.pop(key, None)
        stat = one.pop("dir_stat", None)
        folder = path.parent.parent.parent / "components" / path.stem / version
        if stat is not None and folder.is_dir() and folder.stat().st_ino != stat["inode"]:
            raise AssertionError(f"{path}: dir_stat of {version} names another directory")
    return state


def history(root):
    """The lines of the history without what differs from run to run."""
    path = pathlib.Path(root) / ".deploy-tool" / "history.jsonl"
    if not path.exists():
        return []
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for line in lines:
        for key in ("at", "tx", "ms", "host", "user"):
            line.pop(key, None)
    return lines


def facts(root):
    """All that a deploy root says, in a form that is equal exactly for equal states.

    Left out: times, transaction ids, locks, the package cache (undoing keeps packages), and
    directories of the tool's skeleton that are empty.
    """
    root = pathlib.Path(root)
    found = {}
    if not root.is_dir():
        return found
    tool = root / ".deploy-tool"
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        if path == tool or name.startswith((".deploy-tool/cache", ".deploy-tool/lock")):
            continue
        if name in (".deploy-tool/root.json", ".deploy-tool/history.jsonl"):
            continue
        if path.parent == tool / "state":
            found[name] = ("state", _state(path))
            continue
        found[name] = _entry(path)
    lines = history(root)
    if lines:
        found["history"] = lines
    for name in sorted(found, reverse=True):
        part = name.removeprefix(".deploy-tool/").split("/")
        if part[0] in SKELETON and len(part) == 1 and not any(n.startswith(name + "/") for n in found):
            del found[name]
    return found


def difference(a, b):
    """The names in which two facts() differ, for a message."""
    lines = [f"  {name}: {a.get(name)} / {b.get(name)}" for name in sorted({*a, *b}) if a.get(name) != b.get(name)]
    return "\n".join(lines)


def visible(store):
    """{(type, version)} that a store shows; each must be whole by size and SHA-256."""
    store = pathlib.Path(store)
    shown = set()
    for manifest in store.glob("*/*/*.manifest.json"):
        folder = manifest.parent
        told = json.loads(manifest.read_text())
        kind, version = folder.parent.name, folder.name
        if manifest.name != f"{kind}-{version}.manifest.json":
            raise AssertionError(f"{manifest} lies in a directory of another version")
        package = told["package"]
        for part in (package, package.get("index"), package.get("pieces")):
            if not part:
                continue
            file = folder / part["file"]
            if not file.is_file():
                raise AssertionError(f"{manifest} is visible and {file.name} is missing")
            if digest(file) != part.get("sha256", part.get("checksum", {}).get("value")):
                raise AssertionError(f"{manifest} is visible and {file.name} has other bytes")
        shown.add((kind, version))
    return shown
