#!/usr/bin/python3
"""zako-casd under size, numbers and ill manners: large blobs, slow and idle and vanishing clients, drain.

Z15, ZR8, ZR9, ZR10. Sizes grow by SLIPWAY_CASD_GIB and SLIPWAY_CASD_CLIENTS for longer runs.
"""
import os
import pathlib
import resource
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest

import grpc

import casd_rig
import rig
import zako_wire
from zako_wire import pb

GIB = int(os.environ.get("SLIPWAY_CASD_GIB", "1"))
SLOW = int(os.environ.get("SLIPWAY_CASD_CLIENTS", "2000"))
ZAKO = str(rig.BUILD / "bin" / "zako")
GROWTH_MAX = 64 << 20


class Base(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="slipway-casd-"))
        self.addCleanup(rig.remove_tree, self.folder)

    def client(self, casd, options=()):
        return zako_wire.Client(casd.address("cas"), casd.address("transport"), options=options)


class Large(Base):
    def zako(self, casd, *arguments):
        done = subprocess.run([ZAKO, "cas", *arguments, "--server", casd.address("cas")], env=casd_rig.environment(),
                              capture_output=True, timeout=600, check=False)
        self.assertEqual(done.returncode, 0, done.stderr.decode())
        return done.stdout.decode()

    def test_large_blobs_go_through_in_little_memory(self):
        big = self.folder / "big"
        with open(big, "wb") as out:
            seed = os.urandom(1 << 20)
            for i in range(GIB * 1024):  # no two MiB are the same
                out.write(i.to_bytes(8, "little") + seed[8:])
        digest = subprocess.run(["b3sum", "--no-names", big], capture_output=True, check=True).stdout.decode().strip()
        with casd_rig.Casd(self.folder / "casd") as casd:
            with self.client(casd) as client:
                client.sign_in().upload(b"warm")
            idle = casd.rss_bytes()
            self.assertIn(f"blake3:{digest}/{big.stat().st_size}", self.zako(casd, "put", str(big)))
            back = self.folder / "back"
            self.zako(casd, "get", f"blake3:{digest}/{big.stat().st_size}", str(back))
            self.assertEqual(subprocess.run(["cmp", big, back], check=False).returncode, 0)
            self.assertLess(casd.rss_bytes(peak=True) - idle, GROWTH_MAX + rig.SANITIZER_BYTES,
                            "resident memory, mapped pages included")
            self.assertEqual(casd.stop(), 0)

    def test_eight_clients_with_the_same_blob_make_one_copy(self):  # ZR9
        data = os.urandom(1 << 20) * 24
        digest = zako_wire.hash_of(data)
        with casd_rig.Casd(self.folder / "casd") as casd:
            codes = []

            def put():
                with self.client(casd) as client:
                    try:
                        client.sign_in().upload(data, digest)
                        codes.append("OK")
                    except grpc.RpcError as error:
                        codes.append(error.code().name)

            threads = [threading.Thread(target=put) for _ in range(8)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            self.assertEqual(set(codes) - {"OK", "ALREADY_EXISTS"}, set())
            self.assertIn("OK", codes)
            self.assertEqual(casd.objects(), {digest.hash.hex()})
            self.assertEqual(list((casd.root / "tmp").iterdir()), [])


class Manners(Base):
    def test_clients_that_vanish_in_an_upload_leave_nothing(self):  # ZR8
        digest = pb.Hash(size=1 << 20, hash=b"\x11" * 32)

        def endless(gone):
            yield pb.Put(blob=pb.Blob(hash=digest, part=pb.Part()))
            yield pb.Put(piece=bytes(100_000))
            gone.wait()

        with casd_rig.Casd(self.folder / "casd") as casd:
            def round_of(count):
                with self.client(casd) as client:
                    client.sign_in()
                    for _ in range(count):
                        gone = threading.Event()
                        call = client.transport.stream_unary(
                            zako_wire.UPLOAD, pb.Put.SerializeToString, pb.PutDone.FromString).future(
                                endless(gone), metadata=[("authorization", f"Bearer {client.token}")])
                        if count % 3:
                            time.sleep(0.0005)
                        call.cancel()
                        gone.set()

            def quiet():
                return casd.metric('zako_rpc_inflight{service="zako.v1.transport.Transport"}') == 0

            round_of(100)
            rig.eventually(quiet, "the first clients to be forgotten")
            files, memory = casd.open_files(), casd.rss_bytes()
            for _ in range(10):
                round_of(100)
            rig.eventually(quiet, "the clients to be forgotten")
            rig.eventually(lambda: casd.open_files() <= files + 2, "descriptors to be given back")
            self.assertLess(casd.rss_bytes() - memory, (16 << 20) + rig.SANITIZER_BYTES)
            self.assertEqual(casd.objects(), set())
            self.assertEqual(list((casd.root / "tmp").iterdir()), [])
            self.assertEqual(casd.stop(), 0)

    def test_slow_and_idle_clients_leave_others_undisturbed(self):
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        slow = min(SLOW, hard - 1000)
        self.assertGreaterEqual(slow, 1000, "raise the limit of descriptors")
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        large = os.urandom(1 << 20) * 4
        with casd_rig.Casd(self.folder / "casd", {"limits": {"max_streams": 1100}}) as casd, self.client(casd) as client:
            digest = zako_wire.hash_of(large)
            client.sign_in().upload(large, digest)
            idle = casd.rss_bytes()
            requests, sockets = b"GET /metrics HTTP/1.1\r\nHost: x\r\nX-Slow: ", []
            for _ in range(slow):
                one = socket.create_connection(("127.0.0.1", casd.ports["http"]))
                one.send(requests)
                sockets.append(one)
            request = pb.Get(blob=pb.Blob(hash=digest, part=pb.Part()))
            # Downloads that nobody reads: the server stands at their flow control. With the probe of the bandwidth
            # a client's window grows until it has taken the whole blob unread.
            small_window = [("grpc.http2.bdp_probe", 0)]
            channels = [self.client(casd, small_window) for _ in range(10)]
            streams = [channel.download_pieces(request, token=client.token, timeout=120)
                       for channel in channels for _ in range(100)]
            rig.eventually(lambda: casd.metric('zako_rpc_inflight{service="zako.v1.transport.Transport"}') >= 1000,
                            "a thousand streams")
            for one in sockets[::10]:
                one.send(b"x")  # a byte now and then
            for i in range(20):
                data = os.urandom(200_000 + i)
                client.upload(data)
                self.assertEqual(client.download(zako_wire.hash_of(data)), data)
                self.assertEqual(casd.http("/ready")[0], 200)
            self.assertGreaterEqual(casd.metric('zako_rpc_inflight{service="zako.v1.transport.Transport"}'), 1000)
            self.assertLess(casd.rss_bytes(peak=True) - idle, (256 << 20) + rig.SANITIZER_BYTES)
            for stream in streams:
                stream.cancel()
            for channel in channels:
                channel.close()
            for one in sockets:
                one.close()
            self.assertEqual(casd.stop(), 0)

    def test_sigterm_lets_64_streams_end(self):  # ZR10
        data = os.urandom(1 << 20)
        with casd_rig.Casd(self.folder / "casd", {"server": {"lame_duck": "0s", "drain_timeout": "20s"}}) as casd:
            told, begun = [], threading.Semaphore(0)
            go_on = threading.Event()

            def put(i):
                blob = data + i.to_bytes(4, "little")
                digest = zako_wire.hash_of(blob)

                def messages():
                    yield pb.Put(blob=pb.Blob(hash=digest, part=pb.Part()))
                    yield pb.Put(piece=blob[:1000])
                    begun.release()
                    go_on.wait()
                    yield pb.Put(piece=blob[1000:])

                with self.client(casd) as client:
                    client.sign_in()
                    try:
                        client.upload_messages(messages())
                        told.append(("OK", digest.hash.hex()))
                    except grpc.RpcError as error:
                        told.append((error.code().name, ""))

            threads = [threading.Thread(target=put, args=(i,)) for i in range(64)]
            for thread in threads:
                thread.start()
            for _ in threads:
                self.assertTrue(begun.acquire(timeout=30))
            rig.eventually(lambda: casd.metric('zako_rpc_inflight{service="zako.v1.transport.Transport"}') == 64, "64 streams")
            casd.signal(signal.SIGTERM)
            go_on.set()
            for thread in threads:
                thread.join()
            self.assertEqual(casd.wait(), 0)
            self.assertEqual({code for code, _ in told} - {"OK", "UNAVAILABLE"}, set())
            self.assertIn("OK", {code for code, _ in told})
            self.assertLessEqual({name for code, name in told if code == "OK"}, casd.objects())


if __name__ == "__main__":
    rig.main()
