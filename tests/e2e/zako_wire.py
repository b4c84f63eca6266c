"""A client of zako-casd from the definitions in testdata/zako_wire.proto, over Python's own gRPC."""
import importlib.util
import pathlib
import subprocess
import sys
import tempfile

import grpc

HERE = pathlib.Path(__file__).resolve().parent

NEGOTIATE = "/zako.v1.cas.ContentAddressableStorage/NegotiateBlobs"
DETAILS = "/zako.v1.cas.ContentAddressableStorage/GetTransportDetails"
DOWNLOAD = "/zako.v1.transport.Transport/Download"
UPLOAD = "/zako.v1.transport.Transport/Upload"


def _compile():
    with tempfile.TemporaryDirectory(prefix="slipway-wire-") as folder:
        subprocess.run(["protoc", f"--proto_path={HERE / 'testdata'}", f"--python_out={folder}", "zako_wire.proto"],
                       check=True)
        spec = importlib.util.spec_from_file_location("zako_wire_pb2", pathlib.Path(folder) / "zako_wire_pb2.py")
        module = importlib.util.module_from_spec(spec)
        sys.modules["zako_wire_pb2"] = module
        spec.loader.exec_module(module)
        return module


pb = _compile()


def blake3(data):
    """The BLAKE3 hash of `data`, by the program of its makers."""
    return bytes.fromhex(subprocess.run(["b3sum", "--no-names"], input=data, capture_output=True, check=True)
                         .stdout.decode().strip())


def hash_of(data):
    return pb.Hash(size=len(data), hash=blake3(data))


class Client:
    def __init__(self, address, transport=None, credentials=None, key=None, options=()):
        options = [("grpc.max_receive_message_length", 4 << 20), ("grpc.enable_http_proxy", 0),
                   ("grpc.use_local_subchannel_pool", 1), *options]  # a connection for each client
        self.channel = grpc.secure_channel(address, credentials, options) if credentials \
            else grpc.insecure_channel(address, options)
        self.transport = self.channel
        if transport is not None:
            self.transport = grpc.insecure_channel(transport, options)
        self.key = key
        self.token = None

    def close(self):
        self.channel.close()
        if self.transport is not self.channel:
            self.transport.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _bearer(self, secret):
        return [("authorization", f"Bearer {secret}")] if secret else []

    def details(self, protocols=(0,)):
        call = self.channel.unary_unary(DETAILS, pb.WantDetails.SerializeToString, pb.Details.FromString)
        return call(pb.WantDetails(protocols=protocols), metadata=self._bearer(self.key), timeout=30)

    def sign_in(self):
        self.token = self.details().token
        return self

    def negotiate(self, batches):
        """An iterator over the answers."""
        call = self.channel.stream_stream(NEGOTIATE, pb.Ask.SerializeToString, pb.Missing.FromString)
        return call((pb.Ask(hashes=batch) for batch in batches), metadata=self._bearer(self.key), timeout=30)

    def upload_messages(self, messages, token=True, timeout=30):
        call = self.transport.stream_unary(UPLOAD, pb.Put.SerializeToString, pb.PutDone.FromString)
        return call(iter(messages), metadata=self._bearer(self.token if token is True else token), timeout=timeout)

    def upload_raw(self, messages, timeout=30):
        call = self.transport.stream_unary(UPLOAD, lambda raw: raw, pb.PutDone.FromString)
        return call(iter(messages), metadata=self._bearer(self.token), timeout=timeout)

    def upload(self, data, blob_hash=None, step=1 << 20):
        def messages():
            yield pb.Put(blob=pb.Blob(hash=blob_hash or hash_of(data), part=pb.Part()))
            for at in range(0, len(data), step):
                yield pb.Put(piece=data[at:at + step])
        return self.upload_messages(messages()).size

    def download_pieces(self, request, token=True, timeout=30):
        call = self.transport.unary_stream(DOWNLOAD, pb.Get.SerializeToString, pb.Piece.FromString)
        return call(request, metadata=self._bearer(self.token if token is True else token), timeout=timeout)

    def download(self, blob_hash, start=0, count=None):
        part = pb.Part() if start == 0 else pb.Part(**{"from": start})
        if count is not None:
            part.count = count
        request = pb.Get(blob=pb.Blob(hash=blob_hash, part=part))
        return b"".join(piece.data for piece in self.download_pieces(request))
