#!/usr/bin/python3
"""zako-casd on a full disk, on one that fails, and over damaged objects: reads go on, nothing false is
promised, and it recovers by itself (ZR3, ZR4, ZR5, Z46)."""
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

import grpc

import casd_rig
import rig
import zako_wire

# A file system of its own, as root of a user namespace: nothing is mounted in anybody else's sight.
SMALL_DISK = ("unshare", "--user", "--map-root-user", "--mount", "sh", "-c",
              'mount -t tmpfs -o size=24m slipway "$0" && exec "$@"')


class Faults(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="slipway-casd-"))
        self.addCleanup(rig.remove_tree, self.folder)

    def client(self, casd):
        return zako_wire.Client(casd.address("cas"), casd.address("transport"))

    def assertCode(self, code, call, *arguments):
        with self.assertRaises(grpc.RpcError) as raised:
            call(*arguments)
        self.assertEqual(raised.exception.code(), code, raised.exception.details())
        self.assertNotIn(str(self.folder), raised.exception.details(), "a path of the server reached a client")
        return raised.exception.details()

    def test_full_disk_refuses_writes_and_recovers(self):  # ZR3
        disk = self.folder / "disk"
        disk.mkdir()
        casd = casd_rig.Casd(self.folder / "casd", {"store": {"root": str(disk / "store"), "free_min": "1MiB"}},
                             prefix=(*SMALL_DISK, disk))
        with casd, self.client(casd) as client:
            client.sign_in()
            kept = [os.urandom(1_000_000) for _ in range(5)]
            for data in kept:
                client.upload(data)
            filler = []
            with self.assertRaises(grpc.RpcError) as raised:
                for _ in range(40):
                    filler.append(os.urandom(1_000_000))
                    client.upload(filler[-1])
            self.assertEqual(raised.exception.code(), grpc.StatusCode.RESOURCE_EXHAUSTED)
            self.assertNotIn(str(disk), raised.exception.details())
            for data in (*kept, *filler[:-1]):
                self.assertEqual(client.download(zako_wire.hash_of(data)), data)
            inside = pathlib.Path(f"/proc/{casd.pid()}/root{disk}/store")
            self.assertEqual(list((inside / "tmp").iterdir()), [])
            # Space comes back; nobody tells the server.
            subprocess.run([rig.BUILD / "bin" / "zako", "cas", "rm", "--yes", "--server", casd.address("cas"),
                            *(f"blake3:{zako_wire.blake3(data).hex()}/{len(data)}" for data in filler[:5])],
                           check=True, env=casd_rig.environment(), capture_output=True)
            client.upload(filler[-1])
            self.assertEqual(client.download(zako_wire.hash_of(filler[-1])), filler[-1])
            self.assertEqual(casd.stop(), 0)

    def injected(self, what):
        # strace counts the calls of each thread by itself: one thread, so that the count comes up.
        store = {"durability": "strict", "io_threads": 1}
        return casd_rig.Casd(self.folder / what.replace(":", "-"), {"store": store}, prefix=(
            "strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={what.split(':', maxsplit=1)[0]}", "-e", f"inject={what}"))

    def test_what_could_not_be_synced_is_never_promised(self):  # ZR4
        for what in ("fsync,fdatasync:error=EIO:when=12+", "pwrite64:error=EIO:when=40+", "linkat:error=EIO:when=3+"):
            with self.subTest(what):
                casd = self.injected(what)
                promised = []
                with casd, self.client(casd) as client:
                    client.sign_in()
                    failed = 0
                    for i in range(60):
                        data = os.urandom(3000 + i)
                        try:
                            client.upload(data)
                            promised.append(data)
                        except grpc.RpcError as error:
                            self.assertIn(error.code(), (grpc.StatusCode.INTERNAL, grpc.StatusCode.DATA_LOSS,
                                                         grpc.StatusCode.UNAVAILABLE), error.details())
                            self.assertNotIn(str(self.folder), error.details())
                            failed += 1
                    self.assertGreater(failed, 0, "nothing failed")
                    for data in promised:
                        self.assertEqual(client.download(zako_wire.hash_of(data)), data)
                    casd.kill()
                casd.prefix = []
                with casd, self.client(casd) as client:
                    client.sign_in()
                    for data in promised:
                        self.assertEqual(client.download(zako_wire.hash_of(data)), data)
                    client.upload(b"well again")

    def test_damaged_objects_are_set_aside_and_can_be_stored_again(self):  # ZR5
        casd = casd_rig.Casd(self.folder / "casd")
        data = os.urandom(200_000)
        digest = zako_wire.hash_of(data)
        with casd, self.client(casd) as client:
            client.sign_in().upload(data)
            self.assertEqual(casd.stop(), 0)
        path = casd.root / "objects" / digest.hash.hex()[:2] / digest.hash.hex()[2:]
        os.chmod(path, 0o644)
        with open(path, "r+b") as stored:
            stored.seek(100_000)
            stored.write(b"\x00" if data[100_000] else b"\x01")
        with casd, self.client(casd) as client:
            client.sign_in()
            self.assertCode(grpc.StatusCode.INTERNAL, client.download, digest)
            self.assertEqual([list(answer.hashes) for answer in client.negotiate([[digest]])], [[digest]])
            self.assertEqual(len([p for p in (casd.root / "quarantine").iterdir() if p.stat().st_size == len(data)]), 1)
            self.assertGreaterEqual(sum(casd.metric(f'zako_cas_corrupt_total{{where="{where}"}}') for where in ("read", "verify", "scrub")), 1)
            client.upload(data)
            self.assertEqual(client.download(digest), data)

    def test_lost_or_damaged_index_is_built_again(self):  # ZR18
        casd = casd_rig.Casd(self.folder / "casd")
        blobs = [os.urandom(1000 + i) for i in range(30)]
        with casd, self.client(casd) as client:
            client.sign_in()
            for data in blobs:
                client.upload(data)
            self.assertEqual(casd.stop(), 0)
        index = casd.root / "index.mdb"

        def cut():
            os.truncate(index, index.stat().st_size // 2)

        def zeros():
            index.write_bytes(bytes(index.stat().st_size))

        def noise():
            index.write_bytes(os.urandom(20_000))

        def flip():
            with open(index, "r+b") as file:
                file.seek(4096 * 3)
                file.write(os.urandom(64))

        for harm in (index.unlink, cut, zeros, noise, flip):
            with self.subTest(harm.__name__):
                harm()
                with casd, self.client(casd) as client:
                    client.sign_in()
                    asked = [zako_wire.hash_of(data) for data in blobs]
                    self.assertEqual([list(answer.hashes) for answer in client.negotiate([asked])], [[]])
                    self.assertEqual(client.download(asked[7]), blobs[7])
                    client.upload(os.urandom(5000))
                    self.assertEqual(casd.stop(), 0)

    def test_start_says_what_is_wrong_and_exits_by_kind(self):  # Z46
        with casd_rig.Casd(self.folder / "one") as one:
            same_store = casd_rig.run("--config", one.config_file)
            self.assertEqual(same_store.code, 5, str(same_store))
            self.assertIn(f"process {one.pid()}", same_store.err)
            taken = casd_rig.Casd(self.folder / "two", {"listen": {"cas": f"127.0.0.1:{one.ports['cas']}", "transport": ":0",
                                                                   "http": ":0"}})
            port = casd_rig.run("--config", taken.config_file)
            self.assertEqual(port.code, 3, str(port))
            self.assertIn(f"127.0.0.1:{one.ports['cas']}", port.err)
        newer = casd_rig.Casd(self.folder / "three")
        shutil.copytree(one.root, newer.root)
        (newer.root / "format").write_text((newer.root / "format").read_text().replace("1", "9"))
        refused = casd_rig.run("--config", newer.config_file)
        self.assertEqual(refused.code, 5, str(refused))
        self.assertIn("newer", refused.err)
        if os.getuid() != 0:
            closed = casd_rig.Casd(self.folder / "four")
            closed.root.mkdir()
            os.chmod(closed.root, 0o555)
            denied = casd_rig.run("--config", closed.config_file)
            os.chmod(closed.root, 0o755)
            self.assertEqual(denied.code, 3, str(denied))
            self.assertIn(str(closed.root), denied.err)


if __name__ == "__main__":
    rig.main()
