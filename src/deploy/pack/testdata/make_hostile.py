"""Writes archives that no package may be, made with Python's tarfile in each of its formats."""
import io
import os
import sys
import tarfile

OUT = sys.argv[1]
FORMATS = {"ustar": tarfile.USTAR_FORMAT, "gnu": tarfile.GNU_FORMAT, "pax": tarfile.PAX_FORMAT}


def member(name, kind=tarfile.REGTYPE, link="", data=b""):
    info = tarfile.TarInfo(name)
    info.type = kind
    info.linkname = link
    info.size = len(data)
    info.mode = 0o644
    return info, data


CASES = {
    "dotdot": [member("../outside", data=b"x")],
    "dotdot_inside": [member("a/../../outside", data=b"x")],
    "absolute": [member("/tmp/outside", data=b"x")],
    "own_folder": [member(".deploy-tool/root.json", data=b"{}")],
    "symlink_absolute": [member("a", tarfile.SYMTYPE, "/etc/passwd")],
    "symlink_up": [member("a", tarfile.SYMTYPE, "../../etc/passwd")],
    "write_through_symlink": [member("a", tarfile.SYMTYPE, "."), member("a/b", data=b"x")],
    "write_over_symlink": [member("a", tarfile.SYMTYPE, "b"), member("a", data=b"x")],
    "hard_link_up": [member("a", tarfile.LNKTYPE, "../etc/passwd")],
    "hard_link_absolute": [member("a", tarfile.LNKTYPE, "/etc/passwd")],
    "hard_link_missing": [member("a", tarfile.LNKTYPE, "b")],
    "hard_link_to_symlink": [member("s", tarfile.SYMTYPE, "t"), member("a", tarfile.LNKTYPE, "s")],
    "character_device": [member("a", tarfile.CHRTYPE)],
    "block_device": [member("a", tarfile.BLKTYPE)],
    "fifo": [member("a", tarfile.FIFOTYPE)],
    "contiguous_below_file": [member("a", tarfile.CONTTYPE), member("a/b")],
    "twice": [member("a", data=b"1"), member("a", data=b"2")],
    "twice_by_dot": [member("a", data=b"1"), member("./a", data=b"2")],
    "below_file": [member("a", data=b"1"), member("a/b", data=b"2")],
    "control_characters": [member("a\x1b[2J/../b")],
    "long_dotdot": [member("d" * 120 + "/../../x", data=b"x")],
    "long_component": [member("n" * 300, data=b"x")],
    "deep": [member("/".join("d" * 300), data=b"x")],
}

for format_name, form in FORMATS.items():
    for name, members in CASES.items():
        path = os.path.join(OUT, name + "-" + format_name + ".tar")
        try:
            with tarfile.open(path, "w", format=form) as tar:
                for info, data in members:
                    tar.addfile(info, io.BytesIO(data))
        except ValueError:  # ustar cannot hold such a name
            os.unlink(path)
