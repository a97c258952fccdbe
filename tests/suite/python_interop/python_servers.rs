//! The crate's clients of Python's servers.

use super::*;

#[test]
fn echo_clients_of_python_servers() {
    if !python_is_there() {
        return;
    }
    // Every byte except the one that ends a message.
    let mut line = bytes(20_000);
    line.retain(|&byte| byte != b'\n');
    let mut text = [b"hello".to_vec(), line].join(&b'\n');
    text.push(b'\n');

    for kind in ["tcp", "udp"] {
        let mut server = Program::python("tests/python/echo_server.py", &[kind]);
        let address = server.address().to_string();
        let mut client = Program::example(&format!("{kind}_echo_client"), &[&address]);
        client.type_in(&text);
        let client = client.finish();
        assert!(client.status.success(), "{}", client.stderr);
        assert!(client.stdout == text, "{kind}: the echo differs");
    }
}
