"""OpenAI's own client over a websocket, against a peer that speaks the protocol to the letter: handshake, masks,
compression, pings, the closing handshake."""

import datetime
import ipaddress
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import openai
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from openai import OpenAI
from websockets.exceptions import ConnectionClosedOK
from websockets.sync.client import connect
from websockets.sync.server import Server, ServerConnection, serve

from harness.gateway import Gateway, gating
from harness.places import seawall_binary
from harness.process import running
from harness.simulator import Simulator

MODEL = "gpt-realtime"
LONG = "a word, " * 20_000


def converse(connection: ServerConnection) -> None:
    """Answers each event with one that says it again, and ends the session when asked to."""
    request = connection.request
    if request.headers["Authorization"] != "Bearer sk-theirs" or not request.path.startswith("/v1/realtime?model="):
        connection.close(4001, "not authenticated")
        return
    for message in connection:
        event = json.loads(message)
        if event["type"] == "response.cancel":
            connection.close(1000, "cancelled")
            return
        connection.ping()
        told = {"type": "response.output_text.delta", "delta": event["instructions"], "event_id": "e"}
        connection.send(json.dumps(told))


@contextmanager
def realtime(**options: object) -> Iterator[Server]:
    with serve(converse, "127.0.0.1", 0, max_size=None, **options) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def port(server: Server) -> int:
    return server.socket.getsockname()[1]


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("realtime")
    with realtime() as server, gating(folder, f"http://127.0.0.1:{port(server)}") as gateway:
        yield gateway


def client(gateway: Gateway) -> OpenAI:
    return OpenAI(base_url=f"{gateway.url}/v1", api_key="sk-theirs", max_retries=0)


def test_a_session_passes_and_is_measured(gateway: Gateway) -> None:
    record = gateway.from_now()
    with client(gateway).realtime.connect(model=MODEL) as session:
        for text in ("hello", LONG):
            session.send({"type": "session.update", "instructions": text})
            assert session.recv().delta == text
    call = record.one()
    assert (call.admitted["wire"], call.admitted["name"], call.status) == ("websocket", MODEL, 101)
    for passed in call.ended["websocket"].values():
        assert len(LONG) < passed < len(LONG) + 1_000


def test_the_provider_may_end_a_session(gateway: Gateway) -> None:
    record = gateway.from_now()
    with client(gateway).realtime.connect(model=MODEL) as session:
        session.send({"type": "response.cancel"})
        with pytest.raises(ConnectionClosedOK) as closed:
            session.recv()
    assert closed.value.rcvd.reason == "cancelled"
    assert "ended" not in record.one().ended


def test_where_a_budget_pays_the_client_is_told_why_there_is_none(tmp_path: Path, sim: Simulator) -> None:
    with gating(tmp_path, sim.url, "--budget", "1") as gateway:
        record = gateway.from_now()
        with pytest.raises(Exception, match="426"), client(gateway).realtime.connect(model=MODEL):
            pass
        assert record.denied()["findings"][0]["code"] == "WEBSOCKET_REFUSED"


def test_an_upstream_that_speaks_none_says_so_itself(tmp_path: Path, sim: Simulator) -> None:
    with gating(tmp_path, sim.url) as gateway:
        with pytest.raises(Exception, match="426"), client(gateway).realtime.connect(model=MODEL):
            pass
        answer = client(gateway).responses.create(model="sim-r", input="sim:text over HTTP")
        assert answer.output_text == "over HTTP"
        with pytest.raises(openai.NotFoundError):
            client(gateway).responses.retrieve("resp_none")


def certificate(folder: Path) -> Path:
    """A certificate for 127.0.0.1 that nobody else has signed, with its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "realtime")])
    now = datetime.datetime.now(datetime.UTC)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - datetime.timedelta(days=1)).not_valid_after(now + datetime.timedelta(days=1))
    signed = builder.add_extension(address, critical=False).sign(key, hashes.SHA256())
    path = folder / "realtime.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(signed.public_bytes(serialization.Encoding.PEM) + private)
    return path


def test_over_tls_to_a_server_that_would_rather_speak_http_2(tmp_path: Path) -> None:
    pem = certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    context.set_alpn_protocols(["h2", "http/1.1"])
    with realtime(ssl=context) as server:
        upstream = f"https://127.0.0.1:{port(server)}"
        argv = ["env", f"SSL_CERT_FILE={pem}", seawall_binary(), "proxy", "--listen", "127.0.0.1:0"]
        argv += ["--upstream", upstream, "--data-dir", str(tmp_path / "data")]
        with running(argv, folder=tmp_path, log="proxy.log", ready="seawall ready ") as facts:
            url = facts["listen"].replace("http", "ws", 1) + f"/v1/realtime?model={MODEL}"
            with connect(url, additional_headers={"Authorization": "Bearer sk-theirs"}) as session:
                # Both sides compress, which is nobody's business in between.
                assert [extension.name for extension in session.protocol.extensions] == ["permessage-deflate"]
                session.send(json.dumps({"type": "session.update", "instructions": LONG}))
                assert json.loads(session.recv())["delta"] == LONG
