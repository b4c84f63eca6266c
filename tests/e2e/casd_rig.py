"""zako-casd under test: a store folder, a configuration, start, stop, and where it listens."""
import json
import os
import pathlib
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request

import rig

CASD = str(rig.BUILD / "bin" / "zako-casd")


def environment(extra=None):
    keep = {k: v for k, v in os.environ.items()
            if not k.startswith(("ZAKO_CASD", "SLIPWAY_FAILPOINTS", "NOTIFY_SOCKET", "http_proxy", "grpc_proxy"))}
    return {**keep, "LANG": "C.UTF-8", "NO_COLOR": "1", **(extra or {})}


def run(*arguments, env=None, timeout=30, prefix=()):
    """Runs zako-casd to its end."""
    command = [*map(str, prefix), CASD, *map(str, arguments)]
    done = subprocess.run(command, env=environment(env), capture_output=True, timeout=timeout, check=False,
                          stdin=subprocess.DEVNULL)
    return rig.Result(command, done.returncode, done.stdout.decode("utf-8", "replace"),
                      done.stderr.decode("utf-8", "replace"))


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Authority:
    """Certificates in `folder`: an authority of its own, and what it signs, by the openssl program."""

    def __init__(self, folder, name="test authority"):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.ca, self.ca_key = self.folder / "ca.pem", self.folder / "ca.key"
        self._openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                      "-subj", f"/CN={name}", "-keyout", self.ca_key, "-out", self.ca)

    @staticmethod
    def _openssl(*arguments):
        subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)

    def issue(self, name, san="DNS:localhost,IP:127.0.0.1", days=2):
        """Certificate and key files, with `name` as common name."""
        cert, key, request = (self.folder / f"{name}.{end}" for end in ("pem", "key", "csr"))
        extensions = self.folder / f"{name}.ext"
        extensions.write_text(f"subjectAltName={san}\n")
        self._openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
                      "-keyout", key, "-out", request)
        key.chmod(0o600)
        self._openssl("x509", "-req", "-in", request, "-CA", self.ca, "-CAkey", self.ca_key, "-CAcreateserial",
                      "-days", str(days), "-extfile", extensions, "-out", cert)
        return cert, key


class Casd:
    """A server in `folder`: its store, configuration and log are there. Ports are free ones.

    `config` overrides sections: {"auth": {"mode": "keys"}}. `with` stops it.
    """

    def __init__(self, folder, config=None, env=None, arguments=(), prefix=()):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.root = self.folder / "store"
        self.ports_file = self.folder / "ports.json"
        self.config_file = self.folder / "casd.yaml"
        self.log_file = self.folder / "casd.log"
        self.config = {"listen": {"cas": ":0", "transport": ":0", "http": ":0"}, "store": {"root": str(self.root)},
                       "server": {"lame_duck": "0s", "drain_timeout": "10s"}}
        self.env, self.arguments, self.prefix = env, list(arguments), list(prefix)
        self.process = None
        self.ports = {}
        self.configure(config or {})

    def configure(self, config):
        for key, value in config.items():
            if isinstance(value, dict):
                self.config.setdefault(key, {}).update(value)
            else:
                self.config[key] = value
        self.config_file.write_text(json.dumps(self.config))  # JSON is YAML

    def command(self):
        return [*map(str, self.prefix), CASD, "--config", str(self.config_file), "--ports-file", str(self.ports_file),
                *self.arguments]

    def start(self, timeout=30):
        self.ports_file.unlink(missing_ok=True)
        env = dict(self.env or {})
        if self.prefix and rig.SANITIZED:  # the leak check cannot work under strace
            env["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"
        with open(self.log_file, "ab") as log:
            self.process = subprocess.Popen(self.command(), env=environment(env), stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log)
        deadline = time.monotonic() + timeout
        while not self.ports_file.exists():
            if self.process.poll() is not None:
                raise AssertionError(f"zako-casd ended with {self.process.returncode}:\n{self.log()}")
            if time.monotonic() > deadline:
                self.kill()
                raise AssertionError(f"zako-casd does not serve after {timeout} s:\n{self.log()}")
            time.sleep(0.01)
        self.ports = json.loads(self.ports_file.read_text())
        return self

    def pid(self):
        """Of the server itself, also below a prefix such as strace."""
        return self.ports["pid"]

    def signal(self, number):
        os.kill(self.pid(), number)

    def wait(self, timeout=30):
        code = self.process.wait(timeout)
        self.process = None
        return code

    def stop(self, timeout=30):
        """SIGTERM; the exit code."""
        self.signal(signal.SIGTERM)
        return self.wait(timeout)

    def kill(self):
        if self.process is None:
            return
        if self.ports and self.process.poll() is None:
            try:
                self.signal(signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.kill()
        self.process.wait()
        self.process = None

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.kill()

    def address(self, role="cas"):
        return f"127.0.0.1:{self.ports[role]}"

    def http(self, path, headers=None, scheme="http", context=None):
        """Status and body of GET."""
        request = urllib.request.Request(f"{scheme}://{self.address('http')}{path}", headers=headers or {})
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}),
                                             *([urllib.request.HTTPSHandler(context=context)] if context else []))
        try:
            with opener.open(request, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def metric(self, name):
        """The value of a series, by its name with labels as printed; 0 if there is none."""
        for line in self.http("/metrics")[1].splitlines():
            if line.startswith(name + " "):
                return float(line.split()[-1])
        return 0.0

    def log(self):
        return self.log_file.read_text(errors="replace")

    def rss_bytes(self, peak=False):
        """Resident memory of the server, mapped pages included."""
        key = "VmHWM" if peak else "VmRSS"
        for line in pathlib.Path(f"/proc/{self.pid()}/status").read_text().splitlines():
            if line.startswith(key + ":"):
                return int(line.split()[1]) * 1024
        raise AssertionError(f"no {key} in /proc/{self.pid()}/status")

    def open_files(self):
        return len(os.listdir(f"/proc/{self.pid()}/fd"))

    def objects(self):
        """Hashes of the blobs that are visible in the store's folder."""
        return {path.parent.name + path.name for path in (self.root / "objects").glob("??/*")}
