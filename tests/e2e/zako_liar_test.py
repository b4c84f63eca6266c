#!/usr/bin/python3
"""zako against servers that lie, fall silent or ask for patience, on another gRPC (Z143, Z11, Z130)."""
import concurrent.futures
import os
import subprocess

import grpc

import casd_rig
import rig
import zako_wire
from zako_wire import pb

ZAKO = str(rig.BUILD / "bin" / "zako")
DATA = b"hello\n"
NAME = f"blake3:{zako_wire.blake3(DATA).hex()}/{len(DATA)}"


def details(_request, _context):
    return pb.Details(token="t", concurrency=2)


def missing(requests, _context):
    for request in requests:
        yield pb.Missing(hashes=request.hashes)


def swallow(requests, _context):
    return pb.PutDone(size=sum(len(message.piece) for message in requests))


def pieces(*parts):
    return lambda _request, _context: (pb.Piece(data=part) for part in parts)


class Liar(grpc.GenericRpcHandler):
    """A CAS whose answers a test gives. `calls`: names and metadata of what was asked."""

    def __init__(self, **answers):
        self.answers = {"GetTransportDetails": details, "NegotiateBlobs": missing, "Upload": swallow, **answers}
        self.calls = []
        self.server = grpc.server(concurrent.futures.ThreadPoolExecutor(8))
        self.server.add_generic_rpc_handlers((self,))
        self.port = self.server.add_insecure_port("127.0.0.1:0")
        self.server.start()

    def service(self, call):
        name = call.method.rsplit("/", 1)[1]
        self.calls.append((name, {item.key: item.value for item in call.invocation_metadata}))
        kind, request = {
            "GetTransportDetails": (grpc.unary_unary_rpc_method_handler, pb.WantDetails),
            "NegotiateBlobs": (grpc.stream_stream_rpc_method_handler, pb.Ask),
            "Download": (grpc.unary_stream_rpc_method_handler, pb.Get),
            "Upload": (grpc.stream_unary_rpc_method_handler, pb.Put)}[name]
        return kind(self.answers[name], request.FromString, lambda message: message.SerializeToString())

    def count(self, name):
        return sum(1 for called, _ in self.calls if called == name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.stop(0)


def refuse(code, text="no", metadata=()):
    def answer(_request, context):
        context.set_trailing_metadata(metadata)
        context.abort(code, text)
    return answer


def refuse_upload(code, metadata=()):
    def answer(requests, context):
        next(requests)
        context.set_trailing_metadata(metadata)
        context.abort(code, "no")
    return answer


class Liars(rig.unittest.TestCase):
    def setUp(self):
        self.folder = rig.scratch("slipway-liar-")
        self.addCleanup(rig.remove_tree, self.folder)
        (self.folder / "file").write_bytes(DATA)
        (self.folder / "big").write_bytes(os.urandom(6_000_000))

    def zako(self, liar, *arguments, code=0, env=None):
        done = subprocess.run([ZAKO, "cas", *map(str, arguments)], capture_output=True, timeout=60, check=False,
                              cwd=self.folder, stdin=subprocess.DEVNULL,
                              env=casd_rig.environment({"ZAKO_CAS": f"127.0.0.1:{liar.port}", **(env or {})}))
        self.assertEqual(done.returncode, code, f"{arguments}: {done.stdout[:200]} {done.stderr.decode()}")
        return done

    def test_bytes_that_are_not_the_blob_make_no_file(self):
        for parts in ((b"hellO\n",), (b"hello\nX",), (b"hello\n", b"X"), (b"hel",), (b"hello",), (), (b"", b"hel", b"")):
            with self.subTest(parts), Liar(Download=pieces(*parts)) as liar:
                self.assertIn(b"ZK4005", self.zako(liar, "get", NAME, "out", code=1).stderr)
                self.assertFalse((self.folder / "out").exists())

    def test_parts_have_the_length_that_was_asked_for(self):
        for parts in ((b"ell",), (b"ello", b"!"), ()):
            with self.subTest(parts), Liar(Download=pieces(*parts)) as liar:
                self.zako(liar, "get", NAME, "out", "--range", "1:4", code=1)
                self.assertFalse((self.folder / "out").exists())

    def test_an_endless_answer_ends(self):
        def endless(_request, context):
            while context.is_active():
                yield pb.Piece(data=b"x" * 500_000)
        with Liar(Download=endless) as liar:
            self.zako(liar, "get", NAME, "out", code=1)

    def test_a_transfer_that_breaks_off_makes_no_file(self):
        def half(_request, context):
            yield pb.Piece(data=b"hel")
            context.abort(grpc.StatusCode.UNAVAILABLE, "going")
        with Liar(Download=half) as liar:
            self.zako(liar, "get", NAME, "out", code=3)
            self.assertFalse((self.folder / "out").exists())

    def test_only_a_whole_upload_counts(self):
        for answer in (lambda _requests, _context: pb.PutDone(size=6_000_000),
                       lambda requests, _context: pb.PutDone(size=sum(1 for _ in requests))):
            with Liar(Upload=answer) as liar:
                done = self.zako(liar, "put", "big", code=4)
                self.assertEqual(done.stdout, b"")

    def test_a_full_disk_is_told_at_once_and_a_busy_server_is_asked_again(self):
        with Liar(Upload=refuse_upload(grpc.StatusCode.RESOURCE_EXHAUSTED)) as liar:
            self.assertIn(b"ZK4002", self.zako(liar, "put", "file", code=1).stderr)
            self.assertEqual(liar.count("Upload"), 1)
        asks = (("retry-after-ms", "50"),)
        with Liar(Upload=refuse_upload(grpc.StatusCode.RESOURCE_EXHAUSTED, asks)) as liar:
            self.zako(liar, "put", "file", code=1)
            self.assertEqual(liar.count("Upload"), 4)

    def test_what_was_sent_too_far_is_not_begun_again(self):
        def most(requests, context):
            size = 0
            for message in requests:
                size += len(message.piece)
                if size >= 5_500_000:
                    context.abort(grpc.StatusCode.UNAVAILABLE, "going")
        with Liar(Upload=most) as liar:
            self.zako(liar, "put", "big", code=3)
            self.assertEqual(liar.count("Upload"), 1)

    def test_a_server_that_knows_nobody_is_exit_1(self):
        unknown = refuse(grpc.StatusCode.UNAUTHENTICATED)
        with Liar(GetTransportDetails=unknown) as liar:
            self.assertIn(b"ZK4004", self.zako(liar, "put", "file", code=1).stderr)
            self.assertIn(b"ZK4004", self.zako(liar, "get", NAME, code=1).stderr)

    def test_a_token_that_no_header_carries_is_no_crash(self):
        with Liar(GetTransportDetails=lambda _request, _context: pb.Details(token="two\nlines")) as liar:
            done = self.zako(liar, "get", NAME, code=1)
            self.assertNotIn(b"two", done.stderr)
        for secret in (b"two\nlines", "café".encode()):
            (self.folder / "token").write_bytes(secret)
            (self.folder / "token").chmod(0o600)
            with Liar() as liar:
                done = self.zako(liar, "put", "file", "--token-file", "token", code=2)
                self.assertNotIn(secret[:3], done.stderr)
                self.assertEqual(liar.calls, [])

    def test_schema_and_trace_are_sent_with_every_call(self):
        trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        with Liar(Download=pieces(DATA)) as liar:
            self.zako(liar, "put", "file", env={"TRACEPARENT": trace})
            self.zako(liar, "get", NAME, env={"TRACEPARENT": trace})
            for name, metadata in liar.calls:
                self.assertEqual(metadata.get("zako-schema"), "1", name)
                self.assertTrue(metadata.get("traceparent", "").startswith(trace[:35]), name)


if __name__ == "__main__":
    rig.main()
