#!/usr/bin/python3
"""The program kzg and its C library, over a setup made for tests (spec kzg 6.7)."""
import hashlib
import json
import os
import pathlib
import subprocess

import rig

KZG = str(rig.BUILD / "bin" / "kzg")
C_TEST = str(rig.BUILD / "src" / "kzg" / "capi" / "ckzg_test")
INFINITY = "0xc0" + "00" * 47


def blob(seed):
    """A blob of canonical elements."""
    out = bytearray()
    for i in range(4096):
        element = bytearray(hashlib.sha256(f"{seed} {i}".encode()).digest())
        element[0] &= 0x3F
        out += element
    return bytes(out)


class Kzg(rig.unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.shared = rig.scratch("slipway-kzg-")
        cls.setup = cls.shared / "setup.txt"
        cls.call(cls, "setup", "generate", "--insecure-seed", "7", "-o", cls.setup)
        cls.call(cls, "setup", "precompute", setup=cls.setup)

    @classmethod
    def tearDownClass(cls):
        rig.remove_tree(cls.shared)

    def setUp(self):
        self.folder = rig.scratch("slipway-kzg-")
        self.addCleanup(rig.remove_tree, self.folder)
        (self.folder / "a.blob").write_bytes(blob("a"))
        (self.folder / "b.blob").write_bytes(blob("b"))

    def call(self, *arguments, code=0, stdin=b"", setup=None, env=None):
        folder = getattr(self, "folder", self.shared)
        environment = {k: v for k, v in os.environ.items() if not k.startswith("KZG_")}
        environment.update({"HOME": str(self.shared), "XDG_CACHE_HOME": str(self.shared / "cache"), **(env or {})})
        setup = setup if setup is not None else self.setup
        if setup:
            environment["KZG_TRUSTED_SETUP"] = str(setup)
        done = subprocess.run([KZG, *map(str, arguments)], capture_output=True, check=False, input=stdin, cwd=folder,
                              env=environment, timeout=rig.PATIENCE)
        if done.returncode != code:
            raise AssertionError(f"{arguments}: exit {done.returncode}: {done.stdout.decode()}{done.stderr.decode()}")
        return done

    def out(self, *arguments, **options):
        return self.call(*arguments, **options).stdout.decode()

    def json(self, *arguments, **options):
        return json.loads(self.out(*arguments, "--json", **options))

    # ---- commitments and proofs ----

    def test_commit_takes_files_standard_input_and_hex(self):
        commitment = self.out("commit", "a.blob").strip()
        self.assertRegex(commitment, r"^0x[0-9a-f]{96}$")
        self.assertEqual(self.out("commit", "-", stdin=blob("a")).strip(), commitment)
        self.assertEqual(self.out("commit", "--threads", "1", "--precompute", "none", "a.blob").strip(), commitment)
        self.assertEqual(self.out("commit", "a.blob", "b.blob").splitlines()[0], commitment)
        self.call("commit", "a.blob", "b.blob", "-o", "out.bin")
        self.assertEqual((self.folder / "out.bin").read_bytes()[:48].hex(), commitment[2:])
        self.assertEqual(len((self.folder / "out.bin").read_bytes()), 96)
        self.assertEqual(self.out("commit", "-", stdin=bytes(131072)).strip(), INFINITY)
        self.assertEqual(self.json("commit", "a.blob")["blobs"][0]["commitments"], [commitment])

    def test_proofs_verify_and_changed_ones_do_not(self):
        z = "0x" + "00" * 31 + "05"
        opening = self.json("prove", "a.blob", "--z", z)
        commitment = self.out("commit", "a.blob").strip()
        arguments = ["verify", "proof", "--commitment", commitment, "--z", z, "--proof", opening["proof"], "--y"]
        self.assertEqual(self.out(*arguments, opening["y"]), "valid\n")
        self.assertEqual(self.out(*arguments, z, code=1), "invalid\n")
        both = self.json("prove", "a.blob")
        self.assertEqual(both["commitment"], commitment)
        self.assertEqual(self.json("prove", "a.blob", "--commitment", commitment)["proof"], both["proof"])
        arguments = ["verify", "blob", "--commitment", commitment, "--proof", both["proof"]]
        self.assertEqual(self.json(*arguments, "a.blob"), {"valid": True})
        self.assertEqual(self.json(*arguments, "b.blob", code=1), {"valid": False})

    def test_a_batch_names_the_items_that_are_wrong(self):
        items = []
        for name in ("a.blob", "b.blob", "a.blob"):
            both = self.json("prove", name)
            items.append({"blob": name, **both})
        manifest = self.folder / "manifest.json"
        manifest.write_text(json.dumps({"items": items}))
        self.assertEqual(self.out("verify", "batch", "."), "valid\n")
        items[1]["proof"] = items[0]["proof"]
        manifest.write_text(json.dumps({"items": items}))
        self.assertEqual(self.json("verify", "batch", manifest, code=1), {"valid": False, "invalid": [1]})

    # ---- cells ----

    def test_half_of_the_cells_gives_the_blob(self):
        self.call("cells", "a.blob", "--proofs", "-o", "cells")
        self.assertEqual(self.out("verify", "cells", "cells/cells.json"), "valid\n")
        before = {f.name: f.read_bytes() for f in (self.folder / "cells").iterdir()}
        for index in range(0, 128, 2):
            (self.folder / "cells" / f"cell-{index:03}.bin").unlink()
        self.assertIn("64 cells recovered from 64", self.out("recover", "cells", "--proofs", "--blob", "again.blob"))
        self.assertEqual((self.folder / "again.blob").read_bytes(), blob("a"))
        self.assertEqual({f.name: f.read_bytes() for f in (self.folder / "cells").iterdir()}, before)

    def test_a_changed_cell_is_named(self):
        self.call("cells", "a.blob", "--proofs", "--indices", "0,5,64-70", "-o", "cells")
        self.assertEqual(self.json("verify", "cells", "cells"), {"valid": True})
        cell = self.folder / "cells" / "cell-066.bin"
        data = bytearray(cell.read_bytes())
        data[2047] ^= 1
        cell.write_bytes(data)
        self.assertEqual(self.json("verify", "cells", "cells", code=1), {"valid": False, "invalid": [66]})

    def test_cells_of_another_blob_are_refused_in_recovery(self):
        self.call("cells", "a.blob", "-o", "cells")
        self.call("cells", "b.blob", "--indices", "3", "-o", "other")
        (self.folder / "cells/cell-003.bin").write_bytes((self.folder / "other/cell-003.bin").read_bytes())
        self.assertIn(b"INCONSISTENT_CELLS", self.call("recover", "cells", code=2).stderr)
        for index in range(100):
            if index != 3:
                (self.folder / "cells" / f"cell-{index:03}.bin").unlink()
        self.assertIn(b"NOT_ENOUGH_CELLS", self.call("recover", "cells", code=2).stderr)

    # ---- files as blobs ----

    def test_files_of_any_size_come_back(self):  # K85
        for size in (0, 1, 126975, 126976, 126977, 300000):
            data = hashlib.shake_256(b"file").digest(size)
            (self.folder / "file").write_bytes(data)
            self.call("encode", "file", "-o", f"blobs-{size}")
            self.call("decode", f"blobs-{size}", "-o", "again")
            self.assertEqual((self.folder / "again").read_bytes(), data)
            count = len(list((self.folder / f"blobs-{size}").glob("blob-*.bin")))
            self.assertEqual(count, (size + 126975) // 126976)
        packed = self.out("commit", "--pack", "file").split()
        self.assertEqual(packed, self.out("commit", *sorted((self.folder / "blobs-300000").glob("blob-*.bin"))).split())
        wrong = self.folder / "blobs-300000/blob-00001.bin"
        wrong.write_bytes(b"\x01" + wrong.read_bytes()[1:])
        self.assertIn(b"blob 1: element 0", self.call("decode", "blobs-300000", "-o", "again", code=2).stderr)

    # ---- what is malformed ----

    def test_an_interrupted_encode_leaves_no_mixture(self):  # K85
        (self.folder / "old").write_bytes(os.urandom(300_000))
        (self.folder / "new").write_bytes(os.urandom(300_000))
        self.call("encode", "old", "-o", "blobs")
        listed = (self.folder / "blobs" / "blobs.json").read_bytes()
        (self.folder / "blobs" / "blob-00002.bin").unlink()
        (self.folder / "blobs" / "blob-00002.bin").mkdir()  # where the next one fails
        self.call("encode", "new", "-o", "blobs", code=1)
        self.assertFalse((self.folder / "blobs" / "blobs.json").exists())
        # Nor does a list that was kept elsewhere make one.
        (self.folder / "blobs" / "blob-00002.bin").rmdir()
        self.call("encode", "new", "-o", "blobs")
        (self.folder / "blobs" / "blobs.json").write_bytes(listed)
        self.assertIn(b"SHA-256", self.call("decode", "blobs", "-o", "mixed", code=1).stderr)
        self.assertFalse((self.folder / "mixed").exists())

    def test_outputs_replace_files_only(self):
        os.mkfifo(self.folder / "pipe")
        (self.folder / "link").symlink_to("a.blob")
        for name in ("pipe", "link"):
            for command in (("commit", "a.blob"), ("setup", "precompute"), ("setup", "generate", "--insecure-seed", "1")):
                self.assertIn(b"no regular file", self.call(*command, "-o", name, code=1).stderr)
        self.assertTrue((self.folder / "pipe").is_fifo())
        self.assertTrue((self.folder / "link").is_symlink())

    def test_recovery_keeps_the_proofs_that_are_there(self):
        self.call("cells", "a.blob", "--proofs", "-o", "cells")
        for index in range(64):
            (self.folder / "cells" / f"cell-{index:03d}.bin").unlink()
        self.assertTrue(self.json("recover", "cells")["proofs"])
        self.assertEqual(self.out("verify", "cells", "cells"), "valid\n")

    def test_malformed_input_is_exit_2_with_its_reason(self):
        (self.folder / "short").write_bytes(bytes(131071))
        (self.folder / "large").write_bytes(bytes(32 * 7) + b"\xff" * 32 + bytes(131072 - 32 * 8))
        self.assertIn(b"131071 bytes", self.call("commit", "short", code=2).stderr)
        error = self.json("commit", "large", code=2)["error"]
        self.assertEqual(error["code"], "NON_CANONICAL_FIELD_ELEMENT")
        self.assertIn("element 7", error["message"])
        for point, reason in (("80" + "00" * 47, "NOT_IN_SUBGROUP"), ("80" + "00" * 46 + "01", "NOT_ON_CURVE"),
                              ("00" * 48, "INVALID_POINT_ENCODING"), ("c0", "INVALID_LENGTH"), ("0g", "BAD_HEX")):
            self.assertEqual(self.json("inspect", "0x" + point, code=2)["error"]["code"], reason, point)
        self.assertEqual(self.json("inspect", INFINITY), {"kind": "point of G1", "infinity": True, "valid": True})
        self.assertIn(b"--indices", self.call("cells", "a.blob", "--indices", "128", "-o", "x", code=2).stderr)
        self.assertIn(b"--setup", self.call("commit", "a.blob", "--setpu", "x", code=2).stderr)
        self.assertIn(b"none, small", self.call("commit", "a.blob", "--precompute", "huge", code=2).stderr)
        self.assertIn(b"portable", self.call("commit", "a.blob", "--cpu", "z80", code=2).stderr)
        self.call("commit", "none.blob", code=1)
        with open(self.folder / "huge.blob", "wb") as huge:
            huge.truncate(70 << 20)
        self.assertIn(b"INVALID_BLOB_SIZE", self.call("commit", "huge.blob", code=2).stderr)
        self.assertIn(b"nosuch", self.call("bench", "--ops", "nosuch", code=2).stderr)
        (self.folder / "empty").mkdir()
        self.assertIn(b"manifest.json", self.call("verify", "batch", "empty", code=1).stderr)

    # ---- setups and tables ----

    def test_verify_finds_what_is_wrong_with_a_setup(self):  # K58
        self.assertIn("ok      Lagrange form", self.out("setup", "verify"))
        lines = self.setup.read_text().splitlines()
        lines[5], lines[6] = lines[6], lines[5]
        (self.folder / "bad.txt").write_text("\n".join(lines))
        bad = self.json("setup", "verify", setup=self.folder / "bad.txt", code=1)
        self.assertEqual([c["check"] for c in bad["checks"] if not c["ok"]], ["Lagrange form"])
        (self.folder / "bad.txt").write_text("\n".join(lines[:-1]))
        self.assertIn(b"line 8258", self.call("setup", "verify", setup=self.folder / "bad.txt", code=2).stderr)

    def test_verify_finds_wrong_tables_under_right_digests(self):  # K58
        self.call("setup", "precompute", "--precompute", "15,15", "-o", "good.tbl")
        good = self.folder / "good.tbl"
        self.assertIn("ok      tables", self.out("setup", "verify", setup=good))
        data = bytearray(good.read_bytes())
        at = int.from_bytes(data[104 + 16 * 3:112 + 16 * 3], "little")
        data[at:at + 192] = data[at + 96:at + 192] + data[at:at + 96]
        data[72:104] = hashlib.sha256(data[4096:]).digest()
        data[4064:4096] = hashlib.sha256(data[:4064]).digest()
        (self.folder / "bad.tbl").write_bytes(data)
        bad = self.json("setup", "verify", setup=self.folder / "bad.tbl", code=1)
        self.assertEqual([c["check"] for c in bad["checks"] if not c["ok"]], ["tables"])

    def test_tables_are_kept_and_rebuilt_when_they_are_damaged(self):  # K65, K75
        cache = self.folder / "cache"
        self.call("setup", "precompute", "--cache-dir", cache)
        table, = cache.glob("kzg-*.tbl")
        self.assertIn("up to date", self.out("setup", "precompute", "--cache-dir", cache))
        expected = self.out("commit", "a.blob")
        data = bytearray(table.read_bytes())
        data[20_000_000] ^= 1
        table.write_bytes(data)
        done = self.call("commit", "a.blob", "--cache-dir", cache)
        self.assertEqual(done.stdout.decode(), expected)
        self.assertEqual(done.stderr.count(b"\n"), 1, done.stderr)
        self.assertIn(b"wrong digest", done.stderr)
        data[20_000_000] ^= 1
        self.assertEqual(table.read_bytes(), data)

    def test_one_binary_file_is_all_that_a_package_needs(self):
        self.call("setup", "precompute", "-o", "plain.tbl")
        self.call("setup", "precompute", "--precompute", "small", "-o", "tables.tbl")
        expected = self.out("commit", "a.blob")
        for name, least in (("plain.tbl", 800_000), ("tables.tbl", 31_000_000)):
            path = self.folder / name
            self.assertGreater(path.stat().st_size, least)
            self.assertEqual(self.out("commit", "a.blob", setup=path), expected)
        identity = self.json("setup", "info")["id"]
        head = (self.folder / "plain.tbl").read_bytes()[:64].hex()  # docs/formats/kzg-setup.md
        self.assertEqual(head, "534c4b5a475442310100000004030201" + identity + "00" * 12 + "03000000")

    def test_without_a_setup_it_says_where_it_looked(self):
        if (rig.BUILD / "share/slipway/kzg/ethereum.tbl").exists() or pathlib.Path("/usr/share/slipway/kzg").exists():
            self.assertIn("Ethereum", self.out("setup", "info", setup=""))
            return
        error = self.call("commit", "a.blob", setup="", code=1).stderr
        self.assertIn(b"ethereum.tbl", error)
        self.assertIn(b"KZG_TRUSTED_SETUP", error)

    # ---- vectors, bench, C ----

    def test_vectors_counts_what_passes_and_names_what_fails(self):  # K63
        folder = self.folder / "vectors" / "blob_to_kzg_commitment"
        folder.mkdir(parents=True)
        case = "input: {{blob: '0x{}'}}\noutput: {}\n"
        (folder / "good.yaml").write_text(case.format("00" * 131072, f"'{INFINITY}'"))
        (folder / "refused.yaml").write_text(case.format("00" * 131071, "null"))
        self.assertEqual(self.out("vectors", "vectors"), "2 passed, 0 failed\n")
        (folder / "wrong.yaml").write_text(case.format("00" * 131072, "null"))
        result = self.json("vectors", "vectors", code=1)
        self.assertEqual((result["passed"], result["failed"]), (2, 1))
        self.assertIn("must be refused", result["failures"][0]["reason"])

    def test_bench_compares_with_the_peer(self):
        (self.folder / "peer.json").write_text(json.dumps({"results": {"compute_cells": {"cpu_ns": 10 ** 12}}}))
        result = self.json("bench", "--ops", "compute_cells", "--min-ms", "1", "--against", "peer.json")
        timing = result["results"]["compute_cells"]
        self.assertGreater(timing["ratio"], 1)
        self.assertRegex(timing["sha256"], r"^[0-9a-f]{64}$")

    def test_a_c_program_links_the_library_by_the_known_names(self):  # K82
        done = subprocess.run([C_TEST, str(self.setup)], capture_output=True, check=False, timeout=rig.PATIENCE)
        self.assertEqual(done.returncode, 0, done.stderr.decode())
        c_blob = bytes(0 if i % 32 == 0 else (i * 2654435761) >> 13 & 0xFF for i in range(131072))
        self.assertRegex(done.stdout.decode(), r"^[0-9a-f]{96}\n$")
        (self.folder / "c.blob").write_bytes(c_blob)
        self.assertEqual("0x" + done.stdout.decode(), self.out("commit", "c.blob"))

    def test_completion_scripts_know_the_commands(self):
        self.assertIn("kzg", self.out("completion", "bash"))


if __name__ == "__main__":
    rig.main()
