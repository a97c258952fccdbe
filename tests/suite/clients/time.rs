//! The time server, with `nc` and `socat`.

use super::*;
use crate::support::transcript::parse_ctime;

fn assert_is_a_time(answer: &Finished) {
    let time = answer.text().strip_suffix('\n').unwrap();
    assert!(parse_ctime(time).is_some(), "{time:?}");
}

#[test]
fn nc_receives_the_time() {
    if !is_installed("nc") {
        return;
    }
    let (server, address) = serve("time_server", &[]);
    let (host, port) = (address.ip().to_string(), address.port().to_string());
    assert_is_a_time(&run("nc", &[&host, &port], ""));
    stop(server);
}

#[test]
fn socat_receives_the_time() {
    if !is_installed("socat") {
        return;
    }
    let (server, address) = serve("time_server", &[]);
    // Waits for the answer although the input ends at once.
    let tcp = format!("TCP:{address}");
    assert_is_a_time(&run("socat", &["-t", "50", "-", &tcp], ""));
    // UDP has no end, so `socat` would wait for more answers.
    let udp = format!("UDP:{address}");
    let mut command = Command::new("socat");
    command.args(["-t", "50", "-", &udp]);
    let mut client = Program::start(command);
    client.type_in("\n");
    assert!(parse_ctime(&client.line()).is_some());
    client.kill();
    stop(server);
}
