//! The real HAProxy in front.

use std::fs;
use std::io::ErrorKind;
use std::process::Command;

use socketserver::Coroutines;

use super::*;
use crate::support::process::Program;

/// Starts HAProxy in front of a server. Returns its address. Prints one line if it is not installed.
fn start(server: &SocketAddr, options: &str) -> Option<(Program, SocketAddr, tempdir::Directory)> {
    if Command::new("haproxy")
        .arg("-v")
        .output()
        .is_err_and(|error| error.kind() == ErrorKind::NotFound)
    {
        eprintln!("skipped: haproxy is not installed");
        return None;
    }
    let directory = tempdir::Directory::new();
    // A port that is free now; HAProxy binds to it a moment later, on a loopback address that only this test has.
    let own = own_loopback();
    let free = std::net::TcpListener::bind(own).unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let file = directory.0.join("haproxy.cfg");
    let text = format!(
        "global\n  maxconn 100\ndefaults\n  mode tcp\n  timeout connect 20s\n  timeout client 20s\n  timeout server 20s\n\
         listen front\n  bind {address}\n  server back {server} {options}\n"
    );
    fs::write(&file, text).unwrap();
    let mut command = Command::new("haproxy");
    command.arg("-db").arg("-f").arg(&file);
    let program = Program::start(command);
    let is_up = || TcpStream::connect(address).is_ok();
    eventually("HAProxy listens", is_up);
    Some((program, address, directory))
}

mod tempdir {
    use std::path::PathBuf;

    pub(super) struct Directory(pub(super) PathBuf);

    impl Directory {
        pub(super) fn new() -> Self {
            let name = format!("haproxy-{}", crate::support::net::unique_name());
            let path = std::env::temp_dir().join(name);
            std::fs::create_dir(&path).unwrap();
            Self(path)
        }
    }

    impl Drop for Directory {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }
}

fn haproxy_tells_the_client<M: Strategy + Default>(options: &str, version: u8) {
    let (sender, _errors) = mpsc::sync_channel(1000);
    let service = socketserver::handler_fn(move |request: &mut TcpRequest| {
        let line = request.readline(100)?;
        let info = request.connection_info();
        let proxy = info.proxy().expect("it is required");
        assert_eq!(proxy.client_address(), Some(*request.client_address()));
        let client = request.client_address().to_string();
        write!(request, "{client} {} ", proxy.version())?;
        sender.send(())?;
        Ok(request.send_all(line)?)
    });
    let options_of_server = Server::<Tcp, _, M>::options().proxy_protocol(required());
    let server = options_of_server
        .bind(own_loopback(), service)
        .unwrap()
        .spawn()
        .unwrap();
    let Some((haproxy, address, _directory)) = start(server.server_address(), options) else {
        return;
    };
    for _ in 0..10 {
        let mut client = client(&address);
        client.write_all(b"hello\n").unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        let expected = format!("{} {version} hello\n", client.local_addr().unwrap());
        assert_eq!(answer, expected);
    }
    haproxy.kill();
}

#[test]
fn version_1() {
    haproxy_tells_the_client::<Threading>("send-proxy", 1);
}

#[test]
fn version_2() {
    haproxy_tells_the_client::<Coroutines>("send-proxy-v2", 2);
}

/// Health checks of HAProxy are connections of its own (`LOCAL`).
#[test]
fn health_checks() {
    haproxy_tells_the_client::<Sequential>("send-proxy-v2 check inter 50ms", 2);
}
