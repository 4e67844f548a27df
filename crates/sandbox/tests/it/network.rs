//! Whom a command can talk to. Relied on: seccomp for sockets, Landlock for ports, a network namespace without seccomp.

use std::net::{TcpListener, UdpSocket};

use seawall_sandbox::{Confinement, Layer, Network, SpawnError};

use crate::support::{Place, piped, python, run, sandbox, shell, with_and_without};

fn connect(port: u16) -> seawall_sandbox::Command {
    python(&format!("import socket; socket.create_connection(('127.0.0.1', {port}), 5); print('connected')"))
}

fn send(port: u16) -> seawall_sandbox::Command {
    python(&format!(
        "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.sendto(b'out', ('127.0.0.1', {port})); print('sent')"
    ))
}

#[test]
fn without_a_network_nothing_goes_out() {
    let place = Place::new();
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    tcp.set_nonblocking(true).unwrap();
    udp.set_nonblocking(true).unwrap();
    // Without seccomp a network namespace has to do.
    for confinement in with_and_without(&place.confinement(), &[Layer::Namespaces, Layer::Seccomp]) {
        let tried = sandbox().spawn(confinement.clone(), piped(shell("true")));
        if let Err(SpawnError::Refused(reason)) = tried {
            println!("not held here and so not run: {reason}");
            continue;
        }
        assert_ne!(run(confinement.clone(), connect(tcp.local_addr().unwrap().port())).code(), 0);
        run(confinement, send(udp.local_addr().unwrap().port()));
    }
    assert!(tcp.accept().is_err(), "somebody connected");
    assert!(udp.recv(&mut [0; 8]).is_err(), "something was sent");
}

#[test]
fn with_nothing_to_withhold_the_network_it_is_refused() {
    let place = Place::new();
    let confinement =
        Confinement { without: vec![Layer::Seccomp, Layer::NetworkNamespace], ..place.confinement() };
    let Err(SpawnError::Refused(reason)) = sandbox().spawn(confinement, piped(shell("true"))) else {
        panic!("it ran")
    };
    assert!(reason.contains("network"), "{reason}");
}

#[test]
fn a_granted_port_is_reached_and_no_other_and_only_by_tcp() {
    let place = Place::new();
    let granted = TcpListener::bind("127.0.0.1:0").unwrap();
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = granted.local_addr().unwrap().port();
    let confinement = Confinement { network: Network::Ports(vec![port]), ..place.confinement() };
    assert_eq!(run(confinement.clone(), connect(port)).out, "connected\n");
    assert_ne!(run(confinement.clone(), connect(other.local_addr().unwrap().port())).code(), 0);
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    assert_ne!(run(confinement.clone(), send(udp.local_addr().unwrap().port())).code(), 0);
    // Protocols over IP that Landlock does not know: MPTCP and SCTP.
    for protocol in [262, 132] {
        let open = format!("import socket; socket.socket(socket.AF_INET, socket.SOCK_STREAM, {protocol})");
        let done = run(confinement.clone(), python(&open));
        assert!(done.error.contains("PermissionError"), "{}", done.error);
    }
    let fast = format!(
        "import socket; s = socket.socket(); s.sendto(b'x', 0x20000000, ('127.0.0.1', {}))",
        other.local_addr().unwrap().port()
    );
    assert_ne!(run(confinement.clone(), python(&fast)).code(), 0);
    let listen = "import socket; socket.socket().bind(('127.0.0.1', 0))";
    assert_ne!(run(confinement, python(listen)).code(), 0);
}

#[test]
fn with_all_of_the_network_it_is_like_outside() {
    let place = Place::new();
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let confinement = Confinement { network: Network::Any, ..place.confinement() };
    assert_eq!(run(confinement.clone(), connect(tcp.local_addr().unwrap().port())).code(), 0);
    assert_eq!(run(confinement, send(udp.local_addr().unwrap().port())).code(), 0);
}

#[test]
fn sockets_within_the_family_work() {
    let place = Place::new();
    let script = "import socket; a, b = socket.socketpair(); a.send(b'in'); print(b.recv(9)); s = socket.socket(socket.AF_UNIX); s.bind('here'); s.listen(); c = socket.socket(socket.AF_UNIX); c.connect('here')";
    assert_eq!(run(place.confinement(), python(script)).out, "b'in'\n");
}

#[test]
fn an_abstract_socket_of_the_caller_is_out_of_reach() {
    use std::os::linux::net::SocketAddrExt;
    let place = Place::new();
    let name = format!("seawall-test-{}", std::process::id());
    let address = std::os::unix::net::SocketAddr::from_abstract_name(&name).unwrap();
    let listener = std::os::unix::net::UnixListener::bind_addr(&address).unwrap();
    listener.set_nonblocking(true).unwrap();
    let done = run(
        place.confinement(),
        python(&format!("import socket; socket.socket(socket.AF_UNIX).connect('\\0{name}')")),
    );
    if done.report.layers.unavailable.iter().any(|reason| reason.starts_with("abstract sockets")) {
        println!("this kernel's Landlock does not know them, and it is said");
    } else {
        assert_ne!(done.code(), 0);
        assert!(listener.accept().is_err());
    }
}
