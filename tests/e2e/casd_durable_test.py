#!/usr/bin/python3
"""What zako-casd acknowledged survives kill -9, and was synced before it was acknowledged (ZR1, Z137).

kill -9 alone proves nothing about fsync: the order of the calls is held against the kernel's log too.
"""
import os
import pathlib
import random
import re
import subprocess
import tempfile
import threading
import time
import unittest

import grpc

import casd_rig
import rig
import syscalls
import zako_wire
from zako_wire import pb

CYCLES = int(os.environ.get("SLIPWAY_CASD_CYCLES", "50"))
CLIENTS = 6


def hashes_of(paths):
    """BLAKE3 of files, by b3sum."""
    found = {}
    paths = [str(path) for path in paths]
    for at in range(0, len(paths), 500):
        out = subprocess.run(["b3sum", *paths[at:at + 500]], capture_output=True, check=True).stdout.decode()
        for line in out.splitlines():
            digest, _, path = line.partition("  ")
            found[path] = digest
    return found


class Blobs:
    """Blobs to upload, made beforehand: name of the hash to bytes."""

    def __init__(self, folder, seed, count):
        folder = pathlib.Path(folder)
        folder.mkdir()
        source = random.Random(seed)
        for i in range(count):
            size = source.choice((0, 1, 100, 4096, 5000, 65536, 300_000)) + source.randrange(1000)
            if i % 100 == 0:
                size = 3_000_000 + i
            (folder / str(i)).write_bytes(source.randbytes(size))
        self.of = {digest: pathlib.Path(path).read_bytes() for path, digest in hashes_of(folder.iterdir()).items()}
        self.names = sorted(self.of)


class Load(threading.Thread):
    """A client that uploads, asks and downloads until the server is gone; remembers what was promised."""

    def __init__(self, casd, blobs, seed, promised):
        super().__init__()
        self.casd, self.blobs, self.random, self.promised = casd, blobs, random.Random(seed), promised
        self.wrong = []

    def run(self):
        with zako_wire.Client(self.casd.address("cas"), self.casd.address("transport")) as client:
            try:
                client.sign_in()
                while True:
                    self.step(client)
            except grpc.RpcError as error:
                if error.code() not in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED):
                    self.wrong.append(f"{error.code()}: {error.details()}")

    def step(self, client):
        name = self.random.choice(self.blobs.names)
        data = self.blobs.of[name]
        digest = pb.Hash(size=len(data), hash=bytes.fromhex(name))
        try:
            client.upload(data, digest)
            self.promised.add(name)
        except grpc.RpcError as error:
            if error.code() != grpc.StatusCode.ALREADY_EXISTS:
                raise
        if self.random.random() < 0.3 and client.download(digest) != data:
            self.wrong.append(f"{name} came back wrong")


class Crash(unittest.TestCase):
    def setUp(self):
        self.folder = rig.scratch("slipway-casd-")
        self.addCleanup(rig.remove_tree, self.folder)

    def assertKept(self, casd, blobs, promised):
        """Every promised blob is there and right, and whatever is visible is what its name says."""
        visible = hashes_of((casd.root / "objects").glob("??/*"))
        for path, digest in visible.items():
            part = pathlib.Path(path)
            self.assertEqual(part.parent.name + part.name, digest, "an object is not what its name says")
        self.assertEqual(promised - set(visible.values()), set(), "a promised blob is gone")
        with zako_wire.Client(casd.address("cas"), casd.address("transport")) as client:
            client.sign_in()
            names = sorted(promised)
            asked = [pb.Hash(size=len(blobs.of[name]), hash=bytes.fromhex(name)) for name in names]
            self.assertEqual([list(answer.hashes) for answer in client.negotiate([asked])], [[]], "denied")
            for name in random.Random(len(names)).sample(names, min(len(names), 20)):
                data = blobs.of[name]
                self.assertEqual(client.download(pb.Hash(size=len(data), hash=bytes.fromhex(name))), data)

    def test_kill_at_any_time_loses_nothing_that_was_promised(self):
        blobs = Blobs(self.folder / "blobs", 4711, 40 * CYCLES)
        casd = casd_rig.Casd(self.folder / "casd")
        chance, promised = random.Random(int(os.environ.get("SLIPWAY_SEED", "1"))), set()
        for cycle in range(CYCLES):
            with self.subTest(cycle=cycle):
                casd.start()
                try:
                    self.assertKept(casd, blobs, promised)
                    clients = [Load(casd, blobs, cycle * 100 + i, promised) for i in range(CLIENTS)]
                    for client in clients:
                        client.start()
                    time.sleep(chance.uniform(0.02, 0.4))
                finally:
                    casd.kill()
                for client in clients:
                    client.join()
                self.assertEqual([wrong for client in clients for wrong in client.wrong], [])
        with casd:
            self.assertKept(casd, blobs, promised)
            self.assertEqual([path.name for path in (casd.root / "tmp").iterdir()], [])
        self.assertGreater(len(promised), 5 * CYCLES)


class SyncOrder(unittest.TestCase):
    """The log of the kernel: nothing of a blob is volatile when its acknowledgement leaves."""

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="slipway-casd-"))
        self.addCleanup(rig.remove_tree, self.folder)

    def traced(self, durability):
        log = self.folder / f"trace-{durability}"
        names = ",".join((*syscalls.SYNCS, *syscalls.WRITES, *syscalls.NAMES, *syscalls.OPENS, "sendmsg", "close"))
        casd = casd_rig.Casd(self.folder / durability, {"store": {"durability": durability}}, prefix=(
            "strace", "-f", "-y", "-qq", "-s", "300", "-e", f"trace={names}", "-o", log))
        with casd:
            for data in (b"small", b"x" * 100_000, os.urandom(2_500_000)):
                # A connection each: then the first answer on it names grpc-status in plain text.
                with zako_wire.Client(casd.address("cas"), casd.address("transport")) as client:
                    client.sign_in().upload(data)
            self.assertEqual(casd.stop(), 0)
        return [call for call in syscalls.parse(log.read_text(errors="replace")) if call.ok], casd

    def test_object_directory_and_index_are_synced_before_the_answer(self):
        for durability in ("strict", "batch"):
            with self.subTest(durability):
                calls, casd = self.traced(durability)
                disk, answers, objects, direct = syscalls.Disk(str(casd.root)), 0, 0, set()
                for call in calls:
                    if call.name in syscalls.OPENS:
                        number = re.match(r"\d+", call.result)
                        (direct.add if "O_DSYNC" in str(call.arguments) else direct.discard)(number and number[0])
                    written = call.name in syscalls.WRITES and re.match(r"\d+", call.arguments[0])
                    # LMDB writes its last page through a descriptor that syncs each write.
                    if not (written and written[0] in direct):
                        disk.apply(call)
                    if call.name == "linkat" and "/objects/" in call.path(2):
                        objects += 1
                    if call.name == "sendmsg" and "grpc-status" in str(call.arguments) and objects > answers:
                        answers = objects
                        self.assertEqual([path for path in disk.volatile() if not path.endswith(("/lock", "-lock"))], [],
                                         "acknowledged before it was safe")
                self.assertEqual(objects, 3)
                self.assertEqual(answers, 3)
                self.assertEqual([path for path, _ in disk.early if "/objects/" in path], [])


if __name__ == "__main__":
    rig.main()
