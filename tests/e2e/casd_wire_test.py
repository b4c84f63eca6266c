#!/usr/bin/python3
"""zako-casd spoken to by another implementation of protobuf and gRPC, from a second copy of the
definitions (Z150), and the failures that its users run into (Z47)."""
import concurrent.futures
import hashlib
import json
import os
import re
import signal
import socket
import ssl
import threading
import time

import grpc

import casd_rig
import rig
from casd_case import CasdTest
from zako_wire import DETAILS, blake3, hash_of, pb

Code = grpc.StatusCode
GOLDEN = rig.SOURCE / "src" / "cas" / "service" / "testdata" / "golden" / "messages.txt"


class Wire(CasdTest):
    def test_upload_and_ranged_download(self):
        server = self.start()
        client = self.connect(server).sign_in()
        for size in (0, 1, 4096, 1 << 20, (1 << 20) + 1, 5_000_000):
            data = os.urandom(size)
            blob = hash_of(data)
            self.assertEqual(client.upload(data), size)
            self.assertEqual(client.download(blob), data)
        for start, count in ((0, 1), (1, None), (4_999_999, None), (1 << 20, 1 << 20), (0, 5_000_000)):
            expected = data[start:] if count is None else data[start:start + count]
            self.assertEqual(client.download(blob, start, count), expected)
        self.assertIn(blob.hash.hex(), server.objects())

    def test_pieces_are_at_most_the_chunk_size(self):
        server = self.start({"transport": {"chunk_size": "64KiB"}})
        client = self.connect(server).sign_in()
        data = os.urandom(1_000_000)
        client.upload(data)
        pieces = [len(p.data) for p in client.download_pieces(pb.Get(blob=pb.Blob(hash=hash_of(data), part=pb.Part())))]
        self.assertEqual(sum(pieces), len(data))
        self.assertEqual(max(pieces), 64 << 10)

    def test_negotiation(self):
        client = self.connect(self.start()).sign_in()
        have, lack, also = os.urandom(10), hash_of(b"lack"), hash_of(b"also")
        client.upload(have)
        wrong_size = pb.Hash(size=11, hash=blake3(have))
        answers = client.negotiate([[lack, hash_of(have), also, lack], [], [hash_of(have)], [wrong_size]])
        self.assertEqual([list(answer.hashes) for answer in answers], [[lack, also], [], [], [wrong_size]])

    def test_transport_details(self):
        server = self.start({"cas": {"recommended_concurrency": 7}, "transport": {"advertise": "[2001:db8::1]:443"}})
        client = self.connect(server)
        details = client.details([5, 0])
        self.assertEqual(details.concurrency, 7)
        self.assertRegex(details.token, r"^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")
        self.assertEqual(details.address.ip.six, socket.inet_pton(socket.AF_INET6, "2001:db8::1"))
        self.assertEqual(details.address.port, 443)
        self.assertNotEqual(details.token, client.details().token)
        self.assertEqual(server.metric("zako_tokens_issued_total"), 2)

    def test_ipv4_address_is_its_number(self):
        client = self.connect(self.start({"transport": {"advertise": "127.0.0.1:50611"}}))
        self.assertEqual(client.details().address.ip.four, 0x7F000001)

    def test_transport_on_a_port_of_its_own(self):
        port = casd_rig.free_port()
        server = self.start({"listen": {"transport": f"127.0.0.1:{port}"}})
        details = self.connect(server).details()
        self.assertEqual(details.address.port, port)
        client = self.connect(server, transport=f"127.0.0.1:{port}").sign_in()
        self.assertEqual(client.upload(b"there"), 5)
        self.assertEqual(self.connect(server).sign_in().download(hash_of(b"there")), b"there")  # on the CAS's too

    def test_many_streams_at_once(self):
        server = self.start()
        client = self.connect(server).sign_in()
        blobs = [os.urandom(300_000 + i) for i in range(16)]
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            self.assertEqual(list(pool.map(client.upload, blobs)), [len(b) for b in blobs])
            self.assertEqual(list(pool.map(client.download, map(hash_of, blobs))), blobs)

    def test_golden_bytes_are_those_of_this_implementation(self):
        messages = {"zako.v1.digest.Digest": pb.Hash, "zako.v1.range.BlobRange": pb.Part,
                    "zako.v1.net.IpAddress": pb.Address.Ip, "zako.v1.net.SocketAddress": pb.Address,
                    "zako.v1.cas.NegotiateBlobsRequest": pb.Ask, "zako.v1.cas.NegotiateBlobsResponse": pb.Missing,
                    "zako.v1.cas.GetTransportDetailsRequest": pb.WantDetails, "zako.v1.cas.TransportDetails": pb.Details,
                    "zako.v1.transport.BlobResource": pb.Blob, "zako.v1.transport.DownloadRequest": pb.Get,
                    "zako.v1.transport.DownloadResponse": pb.Piece, "zako.v1.transport.UploadRequest": pb.Put,
                    "zako.v1.transport.UploadResponse": pb.PutDone, "zako.v1.fs.VirtualFsItem": pb.Item,
                    "zako.v1.fs.VirtualFs": pb.Items}
        seen = set()
        for case in GOLDEN.read_text().split("\n\n"):
            match = re.match(r"message (\S+)\n(.*)----\n(\S*)$", case.strip(), re.DOTALL)
            if not match or match.group(1) not in messages:
                continue
            name, text, golden = match.groups()
            seen.add(name)
            message = messages[name].FromString(bytes.fromhex(golden))
            self.assertEqual(message.SerializeToString(), bytes.fromhex(golden), name)
            self.assertFalse(list(message.UnknownFields()), name)
            numbers = [int(n) for n in re.findall(r": (\d+)$", text, re.MULTILINE)]
            for number in numbers:
                self.assertIn(str(number), str(message), name)
        self.assertEqual(seen, set(messages))


class Errors(CasdTest):
    def setUp(self):
        super().setUp()
        self.server = self.start()
        self.client = self.connect(self.server).sign_in()
        self.data = b"some bytes"
        self.blob = hash_of(self.data)

    def put(self, *messages):
        return lambda: self.client.upload_messages(messages)

    def head(self, **changes):
        return pb.Put(blob=pb.Blob(**{"hash": self.blob, "part": pb.Part(), **changes}))

    def test_first_message_not_metadata(self):
        for messages in ((), (pb.Put(piece=b"x"),), (pb.Put(),)):
            self.assertFails(Code.FAILED_PRECONDITION, self.put(*messages), "first message must be metadata")

    def test_digest_and_range_errors(self):
        self.assertFails(Code.INVALID_ARGUMENT, self.put(self.head(hash=pb.Hash(size=1, hash=b"short"))), "32")
        self.assertFails(Code.INVALID_ARGUMENT, self.put(pb.Put(blob=pb.Blob())), "digest is missing")
        self.assertFails(Code.INVALID_ARGUMENT, self.put(self.head(part=pb.Part(count=0))), "length")
        def get(**parts):
            return lambda: self.client.download_pieces(pb.Get(**parts))
        self.assertFails(Code.INVALID_ARGUMENT, get(), "metadata is missing")
        self.assertFails(Code.INVALID_ARGUMENT, get(blob=pb.Blob(part=pb.Part())), "digest is missing")
        self.assertFails(Code.INVALID_ARGUMENT, get(blob=pb.Blob(hash=self.blob)), "range is missing")
        self.assertFails(Code.INVALID_ARGUMENT, lambda: list(self.client.negotiate([[self.blob, pb.Hash()]])), "digest 1")

    def test_already_exists(self):
        self.client.upload(self.data)
        self.assertFails(Code.ALREADY_EXISTS, lambda: self.client.upload(self.data), self.blob.hash.hex())
        # At once, without waiting for chunks that never come.
        stop = threading.Event()
        def waits():
            yield self.head()
            stop.wait(20)
        began = time.monotonic()
        self.assertFails(Code.ALREADY_EXISTS, lambda: self.client.upload_messages(waits()))
        stop.set()
        self.assertLess(time.monotonic() - began, 10)

    def test_wrong_bytes_leave_nothing(self):
        chunk = pb.Put(piece=self.data)
        self.assertFails(Code.INVALID_ARGUMENT, self.put(self.head(), pb.Put(piece=b"SOME BYTES")), blake3(b"SOME BYTES").hex())
        self.assertFails(Code.INVALID_ARGUMENT, self.put(self.head(), pb.Put(piece=b"some")), "4")
        self.assertFails(Code.INVALID_ARGUMENT, self.put(self.head(), chunk, pb.Put(piece=b"!")), "11")
        self.assertFails(Code.INVALID_ARGUMENT, self.put(self.head(), self.head(), chunk), "metadata")
        self.assertEqual(self.server.objects(), set())
        self.assertEqual(self.client.upload(self.data), len(self.data))

    def test_not_found_and_out_of_range(self):
        self.assertFails(Code.NOT_FOUND, lambda: self.client.download(self.blob), self.blob.hash.hex())
        self.client.upload(self.data)
        self.assertFails(Code.INVALID_ARGUMENT, lambda: self.client.download(self.blob, 10), "10")
        self.assertFails(Code.INVALID_ARGUMENT, lambda: self.client.download(self.blob, 3, 8), "10")

    def test_no_supported_protocol(self):
        for protocols in ((), (3, 4)):
            self.assertFails(Code.FAILED_PRECONDITION, lambda: self.client.details(protocols), "no supported transport protocol")

    def test_garbage_is_an_error_of_the_caller(self):
        self.assertFails(Code.INVALID_ARGUMENT, lambda: self.client.upload_raw([b"\xff\xff\xff"]))
        self.assertEqual(self.client.upload(self.data), len(self.data))

    def test_a_message_over_4_MiB_is_refused(self):
        self.assertFails(Code.RESOURCE_EXHAUSTED, self.put(self.head(), pb.Put(piece=bytes(5 << 20))))
        self.assertEqual(self.server.objects(), set())

    def test_schema_versions_are_exchanged(self):
        call = self.client.channel.unary_unary(DETAILS, pb.WantDetails.SerializeToString, pb.Details.FromString)
        _, info = call.with_call(pb.WantDetails(protocols=[0]), metadata=[("zako-schema", "2")], timeout=30)
        self.assertIn(("zako-schema", "1"), [tuple(pair) for pair in info.initial_metadata()])
        for _ in range(20):
            call(pb.WantDetails(protocols=[0]), metadata=[("zako-schema", "2")], timeout=30)
        self.assertEqual(self.server.log().count("another schema"), 1, self.server.log())

    def test_tokens(self):
        for token in (None, "wrong", "00000000-0000-4000-8000-000000000000"):
            self.assertFails(Code.UNAUTHENTICATED, lambda: self.client.upload_messages([self.head()], token=token))
        self.assertEqual(self.server.metric('zako_auth_failures_total{reason="missing"}'), 1)
        self.assertEqual(self.server.metric('zako_auth_failures_total{reason="unknown"}'), 2)

    def test_a_silent_upload_ends(self):
        self.client.close()
        self.server.stop()
        self.server.configure({"upload": {"idle_timeout": "300ms"}})
        self.server.start()
        client = self.connect(self.server).sign_in()
        stop = threading.Event()
        def waits():
            yield self.head()
            stop.wait(20)
        self.assertFails(Code.DEADLINE_EXCEEDED, lambda: client.upload_messages(waits()), "upload.idle_timeout")
        stop.set()
        self.assertEqual(list((self.server.root / "tmp").iterdir()), [])


class Keys(CasdTest):
    def test_keys_roles_audit_and_reload(self):
        keys, audit = self.folder / "keys", self.folder / "audit.jsonl"
        def write(text):
            keys.touch(0o600)
            keys.write_text(text)
        def line(key, rest):
            return f"{hashlib.sha256(key.encode()).hexdigest()} {rest}\n"
        write(line("reader-key", "bob read") + line("writer-key", "ada write") + line("boss-key", "eve read,admin"))
        server = self.start({"auth": {"mode": "keys", "keys_file": str(keys)}, "log": {"audit_file": str(audit)}})
        self.assertFails(Code.UNAUTHENTICATED, lambda: self.connect(server).details())
        self.assertFails(Code.UNAUTHENTICATED, lambda: self.connect(server, key="other").details())
        writer = self.connect(server, key="writer-key").sign_in()
        writer.upload(b"by ada")
        reader = self.connect(server, key="reader-key").sign_in()
        self.assertEqual(reader.download(hash_of(b"by ada")), b"by ada")
        self.assertFails(Code.PERMISSION_DENIED, lambda: reader.upload(b"by bob"))
        self.assertEqual(server.http("/debug/requests")[0], 401)
        self.assertEqual(server.http("/debug/requests", {"Authorization": "Bearer writer-key"})[0], 403)
        self.assertEqual(server.http("/debug/requests", {"Authorization": "Bearer boss-key"})[0], 200)
        write(line("new-key", "ada write"))

        def known():
            try:
                return self.connect(server, key="new-key").sign_in()
            except grpc.RpcError:
                return None
        rig.eventually(known, "the new key")
        self.assertFails(Code.UNAUTHENTICATED, lambda: self.connect(server, key="writer-key").details())
        text = audit.read_text()
        records = [json.loads(line) for line in text.splitlines()]
        uploads = [r for r in records if r["op"] == "upload"]
        self.assertEqual([(r["actor"], r["result"], r["bytes"]) for r in uploads],
                         [("ada", "ok", 6), (uploads[1]["peer"], "denied", 0)])
        self.assertEqual(uploads[0]["target"], f"blake3:{blake3(b'by ada').hex()}/6")
        previous = "0" * 64
        for record in records:  # the chain, by another implementation
            own = record.pop("hash")
            self.assertEqual(record["prev"], previous)
            canonical = json.dumps(record, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
            self.assertEqual(hashlib.sha256(bytes.fromhex(previous) + canonical).hexdigest(), own)
            previous = own
        for secret in ("reader-key", "writer-key", "boss-key", "new-key", writer.token):
            self.assertNotIn(secret, text)
            self.assertNotIn(secret, server.log())


class Tls(CasdTest):
    def setUp(self):
        super().setUp()
        self.authority = casd_rig.Authority(self.folder / "certificates")
        self.cert, self.key = self.authority.issue("server")

    def tls(self, **more):
        return {"tls": {"cert": str(self.cert), "key": str(self.key), **more}}

    def credentials(self, cert=None, key=None):
        return grpc.ssl_channel_credentials(self.authority.ca.read_bytes(), key and key.read_bytes(), cert and cert.read_bytes())

    def test_plaintext_and_tls_do_not_mix(self):
        server = self.start(self.tls())
        client = self.connect(server, credentials=self.credentials())
        self.assertTrue(client.details().token)
        self.assertFails(Code.UNAVAILABLE, lambda: self.connect(server).details())
        context = ssl.create_default_context(cafile=str(self.authority.ca))
        self.assertEqual(server.http("/readyz", scheme="https", context=context)[0], 200)
        plain = casd_rig.Casd(self.folder / "plain").start()
        self.addCleanup(plain.kill)
        self.assertFails(Code.UNAVAILABLE, lambda: self.connect(plain, credentials=self.credentials()).details())

    def test_the_certificate_says_who_the_client_is(self):
        audit = self.folder / "audit.jsonl"
        server = self.start({**self.tls(ca=str(self.authority.ca), client_auth="require"), "auth": {"mode": "mtls"},
                             "log": {"audit_file": str(audit)}})
        cert, key = self.authority.issue("build-7", san="DNS:build-7.example")
        self.assertTrue(self.connect(server, credentials=self.credentials(cert, key)).details().token)
        self.assertIn('"actor":"build-7.example"', audit.read_text())
        self.assertFails(Code.UNAVAILABLE, lambda: self.connect(server, credentials=self.credentials()).details())
        # The probe shows the server's own certificate.
        result = casd_rig.run("--config", server.config_file, "--probe", f"localhost:{server.ports['cas']}")
        self.assertEqual(result.code, 0, str(result))

    def test_a_new_certificate_is_used_and_a_bad_one_is_not(self):
        server = self.start(self.tls())
        def serial():
            pem = ssl.get_server_certificate(("127.0.0.1", server.ports["cas"]))
            return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()
        first = serial()
        old = self.key.read_bytes()
        self.authority.issue("server")
        server.signal(signal.SIGHUP)
        rig.eventually(lambda: serial() != first, "the new certificate")
        second = serial()
        self.key.write_bytes(old)  # does not belong to the certificate any more
        server.signal(signal.SIGHUP)
        context = ssl.create_default_context(cafile=str(self.authority.ca))
        rig.eventually(lambda: "zako_tls_reload_failures_total 0" not in
                       server.http("/metrics", scheme="https", context=context)[1], "the refusal is counted")
        self.assertEqual(serial(), second)


if __name__ == "__main__":
    rig.main()
