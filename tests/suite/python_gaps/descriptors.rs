//! `EMFILE`.

use super::*;

const DESCRIPTORS: usize = 24;

/// Starts an echo server with a limit of [`DESCRIPTORS`].
fn with_few_descriptors() -> Program {
    let mut command = Command::new("sh");
    command
        .args(["-c", "ulimit -n \"$0\" && exec \"$@\""])
        .arg(DESCRIPTORS.to_string())
        .arg(example_path("echo_server"))
        .args(["--strategy", "threading", "--grace", "60"])
        .args(["--port", "0", "--host"])
        .arg(own_loopback().ip().to_string());
    Program::start(command)
}

/// Connects more clients than the server has descriptors.
fn too_many_clients(address: SocketAddr) -> Vec<Client> {
    let clients = (0..2 * DESCRIPTORS).map(|_| {
        let client = Tcp::connect(&address);
        client.send("hello\n");
        client
    });
    clients.collect()
}

/// Asserts that each client is served once earlier ones have disconnected.
fn expect_to_be_served(clients: &[Client]) {
    for client in clients {
        assert_eq!(client.line(), "hello\n");
        client.finish();
        client.expect_end();
    }
}

/// The connections wait in the backlog. Python serves them too, but its loop spins while they wait.
#[test]
fn a_server_without_descriptors_serves_when_some_are_free_again() {
    let mut server = with_few_descriptors();
    let clients = too_many_clients(server.address());
    expect_to_be_served(&clients);
    server.signal(Signal::SIGINT);
    let finished = server.finish();
    let counted = format!(
        "served {} connections and 0 datagrams, 0 failed",
        clients.len()
    );
    assert!(finished.success().lines().any(|line| line == counted));
}

/// The connections and the stop arrive while the process is suspended.
#[test]
fn a_stop_without_descriptors_loses_no_connection_in_the_backlog() {
    let mut server = with_few_descriptors();
    let address = server.address();
    server.signal(Signal::SIGSTOP);
    let clients = too_many_clients(address);
    server.signal(Signal::SIGINT);
    server.signal(Signal::SIGCONT);
    expect_to_be_served(&clients);
    let finished = server.finish();
    let drained = "0 failed, 0 disconnected, 0 rejected, 0 force-closed, 0 abandoned";
    assert!(finished.success().trim_end().ends_with(drained));
}
