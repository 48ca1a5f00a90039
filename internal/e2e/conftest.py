"""What the end-to-end tests share: the built binary, models on disk, and servers to talk to with nothing but gRPC.

Environment variables say where things lie:

    EXPLAIND_BIN      the binary                              bin/explaind
    EXPLAIND_MODELS   the demo's models                       .cache/models
    EXPLAIND_ZOO      the test models with their references   .cache/zoo

Relative paths count from the repository. Clients are generated here from proto/ alone, as a user would do it.
"""

import os
import pathlib
import signal
import socket
import subprocess
import sys
import time
import types

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

ROOT = pathlib.Path(__file__).resolve().parents[2]
PATIENCE = 120  # seconds that a server may take to load its models, or to stop


def path_from(variable, default):
    path = ROOT / os.environ.get(variable, default)
    if not path.exists():
        pytest.fail(f"{path} does not exist: run `make demo` or `make test`, or set {variable}", pytrace=False)
    return path


@pytest.fixture(scope="session")
def binary():
    return path_from("EXPLAIND_BIN", "bin/explaind")


@pytest.fixture(scope="session")
def models():
    return path_from("EXPLAIND_MODELS", ".cache/models")


@pytest.fixture(scope="session")
def zoo():
    return path_from("EXPLAIND_ZOO", ".cache/zoo")


@pytest.fixture(scope="session")
def stubs(tmp_path_factory):
    """The generated modules: stubs.types, stubs.service and stubs.Client(channel)."""
    folder = tmp_path_factory.mktemp("stubs")
    protos = sorted(str(p.relative_to(ROOT / "proto")) for p in (ROOT / "proto").rglob("*.proto"))
    protoc = [sys.executable, "-m", "grpc_tools.protoc", "-Iproto", "-Ithird_party/proto"]
    subprocess.run([*protoc, f"--python_out={folder}", f"--grpc_python_out={folder}", *protos], cwd=ROOT, check=True)
    sys.path.insert(0, str(folder))
    from explaind.v1 import explain_service_pb2, explain_service_pb2_grpc, types_pb2

    return types.SimpleNamespace(
        types=types_pb2, service=explain_service_pb2, Client=explain_service_pb2_grpc.ExplainServiceStub
    )


@pytest.fixture(scope="session")
def start_server(binary, tmp_path_factory):
    """start_server(*flags) starts `explaind serve` and waits until its models are loaded. What still runs at the end of
    the session is stopped, and must stop as it should."""
    started = []

    def start(*flags):
        server = Server(binary, tmp_path_factory.mktemp("server"), flags)
        started.append(server)
        server.wait_until_serving()
        return server

    yield start
    statuses = [server.stop() for server in started]
    assert not any(statuses), f"servers ended with {statuses} on SIGTERM"


@pytest.fixture(scope="session")
def server(start_server, models):
    """A server of the demo's models."""
    return start_server("--models", models)


@pytest.fixture(scope="session")
def client(server, stubs):
    return stubs.Client(server.channel)


class Server:
    """One `explaind serve` on ports of its own. Its log is in self.log."""

    def __init__(self, binary, folder, flags):
        self.address, self.http = (f"127.0.0.1:{port}" for port in free_ports(2))
        self.log_file = folder / "log"
        command = [
            binary,
            "serve",
            "--grpc",
            self.address,
            "--http",
            self.http,
            "--cache",
            ROOT / ".cache/compiled",
            *flags,
        ]
        with self.log_file.open("wb") as log:
            self.process = subprocess.Popen(
                [str(part) for part in command], cwd=ROOT, env=environment(), stdout=log, stderr=subprocess.STDOUT
            )
        limit = 256 << 20
        self.channel = grpc.insecure_channel(
            self.address, [("grpc.max_receive_message_length", limit), ("grpc.max_send_message_length", limit)]
        )

    @property
    def log(self):
        return self.log_file.read_text(errors="replace")

    def health(self, service=""):
        """The status of a service, such as "models/NAME": "SERVING", "NOT_SERVING", or the code of the failure."""
        try:
            answer = health_pb2_grpc.HealthStub(self.channel).Check(
                health_pb2.HealthCheckRequest(service=service), timeout=5
            )
            return health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)
        except grpc.RpcError as error:
            return error.code().name

    def wait_until_serving(self, service=""):
        deadline = time.monotonic() + PATIENCE
        while (status := self.health(service)) != "SERVING":
            if self.process.poll() is not None:
                pytest.fail(f"the server ended with {self.process.returncode}:\n{self.log}", pytrace=False)
            if time.monotonic() > deadline:
                self.stop()
                pytest.fail(f"the server is {status} after {PATIENCE} s:\n{self.log}", pytrace=False)
            time.sleep(0.05)

    def stop(self):
        """Asks the server to stop as an operator would, and returns its exit status. May be called again."""
        self.channel.close()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise


def environment():
    """The environment without the variables above, which are settings to `explaind serve`."""
    return {name: value for name, value in os.environ.items() if not name.startswith("EXPLAIND_")}


def free_ports(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports
