//! Runs every program in `examples/`. Each has to print exactly what its comment documents.

mod chat;
mod echo;
mod listeners;
mod python_docs;
mod shared;
mod tutorial;

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::Command;
use std::sync::mpsc::channel;
use std::thread;

use chrono::{Local, Timelike};
use nix::sys::signal::Signal;
use socket2::SockRef;

use crate::common;
use crate::docs::source_of;
use crate::support::net::own_loopback;
use crate::support::process::{Finished, PATIENCE, Program, example_path, python_is_there};
use crate::support::transcript::{
    announces_on_stderr, hide_ctime, is_run_by_the_tutorial, parse_ctime,
};

/// Starts a server of `examples/` on a free port.
fn serve(name: &str) -> (Program, SocketAddr) {
    let mut server = Program::example(name, &["127.0.0.1:0"]);
    let address = match announces_on_stderr(name) {
        true => server.address_on_stderr(),
        false => server.address(),
    };
    (server, address)
}

/// Starts a server of `examples/`, and closes its standard output when it has printed so many lines, as
/// `server | head` does.
fn serve_without_stdout(name: &str, arguments: &[&str], lines: usize) -> (Program, SocketAddr) {
    let (reader, writer) = io::pipe().unwrap();
    let mut command = Command::new(example_path(name));
    command.args(arguments).stdout(writer);
    let server = Program::start_without_stdout(command);
    let (sender, printed) = channel();
    thread::spawn(move || {
        let lines: io::Result<Vec<_>> = BufReader::new(reader).lines().take(lines).collect();
        sender.send(lines.unwrap())
    });
    let lines = printed.recv_timeout(PATIENCE).unwrap();
    let address = lines[0].strip_prefix("listening on ").unwrap();
    (server, address.parse().unwrap())
}

#[test]
fn handlers_continue_after_standard_output_is_closed() {
    for name in [
        "tcp_server",
        "tcp_server_stream",
        "tutorial_handler_v2",
        "tutorial_threads",
        "tutorial_pool",
        "tutorial_forking",
        "tutorial_coroutines",
        "tutorial_stop",
    ] {
        let (server, address) = serve_without_stdout(name, &["127.0.0.1:0"], 1);
        for _ in 0..2 {
            let mut client = connect(address);
            client.write_all(b"hello\n").unwrap();
            assert!(client.read(&mut [0; 100]).unwrap() > 0, "{name}: no answer");
        }
        assert_eq!(server.kill().stderr, "", "{name}");
    }
    let mail = "MAIL FROM:<a>\r\nRCPT TO:<b>\r\nDATA\r\nhello\r\n.\r\nQUIT\r\n";
    for (name, input, end) in [
        ("chat_server", "Ada\n/who\n", "Ada\n"),
        (
            "file_server",
            &"GET / HTTP/1.1\r\n\r\n".repeat(3),
            "\r\n\r\n",
        ),
        ("kv_server", "PING\r\n", "+PONG\r\n"),
        ("smtp_sink", mail, "250 accepted\r\n221 bye\r\n"),
        ("syslog_server", "<13>hello\n<13>hello\n", ""),
        ("time_server", "", "\n"),
    ] {
        let (server, address) = serve_without_stdout(name, &["127.0.0.1:0"], 1);
        for _ in 0..2 {
            let mut client = connect(address);
            client.write_all(input.as_bytes()).unwrap();
            client.shutdown(Shutdown::Write).unwrap();
            let answer = io::read_to_string(client).unwrap();
            assert!(answer.ends_with(end), "{name}: {answer}");
        }
        assert_eq!(server.kill().stderr, "", "{name}");
    }
    for name in ["udp_server", "tutorial_udp"] {
        let (server, address) = serve_without_stdout(name, &["127.0.0.1:0"], 1);
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        for _ in 0..2 {
            client.send_to(b"hello", address).unwrap();
            assert!(client.recv(&mut [0; 100]).unwrap() > 0, "{name}: no answer");
        }
        assert_eq!(server.kill().stderr, "", "{name}");
    }
}

/// Starts a client of `examples/`.
fn call(name: &str, address: SocketAddr, words: &[&str]) -> Program {
    let mut arguments = vec![address.to_string()];
    arguments.extend(words.iter().map(|&word| word.to_owned()));
    Program::example(name, &arguments)
}

/// Runs a client of `examples/` to its end. Returns its output.
fn run(name: &str, address: SocketAddr, words: &[&str], input: &[u8]) -> String {
    let mut client = call(name, address, words);
    client.type_in(input);
    hide_ctime(client.finish().success())
}

#[test]
fn every_example_has_a_test_and_is_listed() {
    let list = include_str!("../../../examples/README.md");
    let examples = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/examples")).unwrap();
    for example in examples {
        let path = example.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.file_stem().unwrap().to_str().unwrap();
            let tested = |module| source_of(module).contains(&format!("\"{name}\""));
            assert!(
                tested("examples") || tested("clients") || is_run_by_the_tutorial(name),
                "no test and no part of docs/tutorial runs examples/{name}.rs"
            );
            assert!(
                list.contains(&format!("[{name}]({name}.rs)")),
                "examples/README.md lacks {name}"
            );
        }
    }
}

fn connect(address: SocketAddr) -> TcpStream {
    let client = TcpStream::connect(address).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    client.set_write_timeout(Some(PATIENCE)).unwrap();
    client
}

/// Number of threads of a running program. On systems other than Linux, nothing is counted.
fn threads(program: &Program) -> usize {
    if !cfg!(target_os = "linux") {
        return 0;
    }
    let threads = fs::read_dir(format!("/proc/{}/task", program.id()));
    threads.unwrap().count()
}
