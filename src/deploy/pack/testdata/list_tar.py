"""Lists a package with Python's tarfile: name, kind, size and link, names and links in hex."""
import sys
import tarfile

KINDS = {tarfile.REGTYPE: "f", tarfile.DIRTYPE: "d", tarfile.SYMTYPE: "l", tarfile.LNKTYPE: "h"}


def raw(text):
    return text.encode("utf-8", "surrogateescape").hex()


with tarfile.open(sys.argv[1], errors="surrogateescape") as tar:
    for member in tar:
        kind = "f" if member.issparse() else KINDS[member.type]
        size = member.size if kind == "f" else 0
        if kind == "f":
            assert len(tar.extractfile(member).read()) == size
        print(raw(member.name), kind, size, raw(member.linkname) if kind in "lh" else "")
