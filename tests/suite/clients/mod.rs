//! Programs of `examples/` and the client programs that people use with their protocols.
//!
//! A test whose client is not installed prints a line and passes: not every machine can install it.

mod chat;
mod conversations;
mod dns;
mod files;
mod kv;
mod smtp;
mod socks;
mod syslog;
mod time;

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::process::Command;

use nix::sys::signal::Signal;

use crate::support::net::own_loopback;
use crate::support::process::{Finished, PATIENCE, Program};

/// Returns whether a client program is installed. Prints one line if it is not.
fn is_installed(client: &str) -> bool {
    let started = Command::new(client).arg("--version").output();
    let installed = !started.is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
    if !installed {
        eprintln!("skipped: {client} is not installed");
    }
    installed
}

/// Starts a server of `examples/` on a loopback address of its own.
fn serve(name: &str, arguments: &[&str]) -> (Program, SocketAddr) {
    let address = own_loopback().to_string();
    let mut server = Program::example(name, &[&[&*address], arguments].concat());
    let address = server.address();
    (server, address)
}

/// Runs a client with some input to its end. Panics if it fails.
fn run(client: &str, arguments: &[&str], input: impl AsRef<[u8]>) -> Finished {
    let mut command = Command::new(client);
    command.args(arguments);
    let mut program = Program::start(command);
    program.type_in(input);
    let finished = program.finish();
    assert!(
        finished.status.success(),
        "{client} {arguments:?}: {}: {}{}",
        finished.status,
        String::from_utf8_lossy(&finished.stdout),
        finished.stderr
    );
    finished
}

fn connect(address: SocketAddr) -> TcpStream {
    let client = TcpStream::connect(address).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    client.set_write_timeout(Some(PATIENCE)).unwrap();
    client
}

/// Sends bytes, ends the sending side and returns the whole answer. The server may stop reading earlier.
fn converse(address: SocketAddr, input: &[u8]) -> Vec<u8> {
    let mut client = connect(address);
    let _ = client.write_all(input);
    let _ = client.shutdown(Shutdown::Write);
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).unwrap();
    answer
}

/// Stops a server to which clients are connected. Checks that no handler has failed before.
fn stop(server: Program) -> String {
    server.signal(Signal::SIGINT);
    server.finish().success().to_owned()
}

#[test]
fn every_server_ends_at_ctrl_c_although_a_client_is_connected() {
    for name in [
        "chat_server",
        "dns_server",
        "file_server",
        "kv_server",
        "smtp_sink",
        "socks5_relay",
        "syslog_server",
        "time_server",
    ] {
        let (server, address) = serve(name, &[]);
        let mut client = connect(address);
        let output = stop(server);
        assert!(
            output.starts_with(&format!("listening on {address}\n")),
            "{name}: {output}"
        );
        // Some servers greet their clients first.
        let mut rest = Vec::new();
        client
            .read_to_end(&mut rest)
            .unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}
