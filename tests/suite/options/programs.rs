//! Descriptors of the programs that handlers start.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use rustix::io::{FdFlags, fcntl_getfd, fcntl_setfd};
use socketserver::{Server, Service, handler_fn};

use super::*;

use crate::support::alone::{alone, apart, test_name};
use crate::support::kinds::{Kind, by_kind};

/// Starts a program, which does not close descriptors that it inherits, and lists its descriptors.
fn descriptors_of_a_program() -> io::Result<String> {
    let mut program = Command::new("cat")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    // The program has closed the files of its own start when it answers.
    let (mut input, output) = (program.stdin.take().unwrap(), program.stdout.take());
    input.write_all(b"ready\n")?;
    BufReader::new(output.unwrap()).read_line(&mut String::new())?;
    let open = std::fs::read_dir(format!("/proc/{}/fd", program.id()))?;
    let open = open.map(|fd| Ok(fd?.file_name().into_string().unwrap()));
    let mut open = open.collect::<io::Result<Vec<_>>>()?;
    open.sort();
    program.kill()?;
    program.wait()?;
    Ok(open.join(" "))
}

/// Answers with the descriptors of a program.
fn list_descriptors<R: Request>(request: &mut R) -> socketserver::Result {
    request.readline(10)?;
    Ok(writeln!(request, "{}", descriptors_of_a_program()?)?)
}

fn ask<T: Reachable, S: Service<T::Request>>(
    server: Server<T, S, Sequential>,
    kind: Kind,
) -> String {
    let server = server.strategy(kind.strategy()).spawn().unwrap();
    let client = T::connect(server.server_address());
    // The connection of another client is open while the program starts.
    let _other = T::connect(server.server_address());
    client.ask("?\n")
}

fn starts_programs<T, L>(kind: Kind, expected: &str, listener: impl FnOnce(&TempDir) -> L)
where
    T: Reachable + FromListener<L>,
    L: AsFd,
{
    let dir = TempDir::new();
    let service = || handler_fn(list_descriptors::<T::Request>);
    let bound = T::bind(&dir, Server::options(), service()).unwrap();
    assert_eq!(ask(bound, kind), expected, "bound");

    let listener = listener(&dir);
    fcntl_setfd(&listener, FdFlags::empty()).unwrap();
    let adopted = Server::from_listener(listener, service()).unwrap();
    assert_eq!(ask::<T, _>(adopted, kind), expected, "adopted");
}

/// A program that inherits the listener keeps the port in use after the server has ended.
fn programs_of_handlers_have_no_descriptor_of_the_server(kind: Kind) {
    let test = test_name!("programs_of_handlers_have_no_descriptor_of_the_server");
    alone(test, kind, || {
        // The standard streams, and those that this process has inherited without the flag.
        let expected = descriptors_of_a_program().unwrap() + "\n";
        starts_programs::<Tcp, _>(kind, &expected, |_| TcpListener::bind(LOOPBACK).unwrap());
        starts_programs::<Udp, _>(kind, &expected, |_| UdpSocket::bind(LOOPBACK).unwrap());
        starts_programs::<UnixStream, _>(kind, &expected, |dir| {
            UnixListener::bind(dir.socket()).unwrap()
        });
        starts_programs::<UnixDatagram, _>(kind, &expected, |dir| {
            UnixDatagramSocket::bind(dir.socket()).unwrap()
        });
    });
}

by_kind!(programs_of_handlers_have_no_descriptor_of_the_server);

/// A program can pass the listener on to its successor.
#[test]
fn the_flag_can_be_removed_again() {
    apart(test_name!("the_flag_can_be_removed_again"), || {
        let listener = TcpListener::bind(LOOPBACK).unwrap();
        let server = TcpServer::from_listener(listener, || LineEcho).unwrap();
        assert_eq!(fcntl_getfd(&server).unwrap(), FdFlags::CLOEXEC);
        fcntl_setfd(&server, FdFlags::empty()).unwrap();
        let server = server.spawn().unwrap();
        assert_eq!(Tcp::connect(server.server_address()).ask("a\n"), "a\n");
        assert_eq!(fcntl_getfd(server.as_fd()).unwrap(), FdFlags::empty());
    });
}
