//! `replace_stale`, and what an error of binding says about the file that is at the path.
//!
//! Tests that bind again where a socket was closed run in processes of their own, because a program that another test
//! starts has copies of all sockets until it executes.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::fs::{FlockOperation, flock};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketType};
use socketserver::transport::Unix;

use super::*;

use crate::support::alone::{apart, test_name};
use crate::support::scale::scale;

type Bound<T> = Server<T, fn() -> LineEcho, Sequential>;

/// Binds a server to `path`.
fn bind<'a, T: Bind<&'a Path> + Unix>(
    path: &'a Path,
    replace_stale: bool,
) -> Result<Bound<T>, Error>
where
    fn() -> LineEcho: socketserver::Service<T::Request>,
{
    Server::options()
        .replace_stale(replace_stale)
        .bind(path, LineEcho::default as fn() -> LineEcho)
}

/// Leaves the file of a socket that no process has open.
fn leave_stale(path: &Path) {
    drop(UnixListener::bind(path).unwrap());
    let is_closed = || {
        let connected = UnixStreamSocket::connect(path);
        connected.is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused)
    };
    let deadline = Instant::now() + PATIENCE;
    while !is_closed() {
        assert!(Instant::now() < deadline, "another process has the socket");
        std::thread::yield_now();
    }
}

fn id(path: &Path) -> (u64, u64) {
    let file = fs::symlink_metadata(path).unwrap();
    (file.ino(), file.nlink())
}

/// Checks that servers of both kinds report `expected`, and that the file stays.
#[track_caller]
fn expect_kept(path: &Path, replace_stale: bool, expected: &str) {
    let before = id(path);
    let errors = [
        error_of(bind::<UnixStream>(path, replace_stale)),
        error_of(bind::<UnixDatagram>(path, replace_stale)),
    ];
    for error in errors {
        assert_eq!(kind_of(&error), ErrorKind::AddrInUse);
        let text = error.to_string();
        assert!(text.contains(path.to_str().unwrap()), "{text}");
        assert!(text.contains(expected), "no {expected:?} in {text:?}");
        if text.contains("remove the file") {
            assert!(expected.contains("has ended"), "{text}");
        }
    }
    assert_eq!(id(path), before);
}

fn a_stale_file_is_replaced_on_request<T>()
where
    T: Reachable<Address = UnixAddress> + Unix + for<'a> Bind<&'a Path>,
    fn() -> LineEcho: socketserver::Service<T::Request>,
{
    let dir = TempDir::new();
    let (stream, datagram) = (dir.socket(), dir.socket());
    leave_stale(&stream);
    drop(UnixDatagramSocket::bind(&datagram).unwrap());
    for path in [&stream, &datagram] {
        expect_kept(path, false, "a server that has ended left this file");
        for _ in 0..3 {
            let server = bind::<T>(path, true).unwrap();
            let address = server.server_address().clone();
            assert_eq!(address, UnixAddress::Path(path.clone()));
            let server = server.spawn().unwrap();
            assert_eq!(T::connect(&address).ask("hello\n"), "hello\n");
            drop(server);
        }
    }
    // Only the sockets of the clients are beside them.
    expect_ok(bind::<T>(&dir.socket(), true));
}

over_apart!([UnixStream, UnixDatagram] a_stale_file_is_replaced_on_request);

#[test]
fn files_that_are_not_sockets_stay() {
    let dir = TempDir::new();
    let stale = dir.socket();
    leave_stale(&stale);
    let (file, directory, pipe) = (dir.socket(), dir.socket(), dir.socket());
    let (link, dangling) = (dir.socket(), dir.socket());
    File::create(&file).unwrap();
    fs::create_dir(&directory).unwrap();
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    symlink(&stale, &link).unwrap();
    symlink("nowhere", &dangling).unwrap();
    for replace_stale in [false, true] {
        expect_kept(&file, replace_stale, "a regular file is at this path");
        expect_kept(&directory, replace_stale, "a directory is at this path");
        expect_kept(&pipe, replace_stale, "a named pipe is at this path");
        expect_kept(&link, replace_stale, "a symbolic link is at this path");
        expect_kept(&dangling, replace_stale, "a symbolic link is at this path");
    }
    assert!(stale.exists());
}

/// Sockets in use: of each type, listening or not, with room in the backlog or not.
#[test]
fn sockets_in_use_stay_and_notice_nothing() {
    apart(test_name!("sockets_in_use_stay_and_notice_nothing"), || {
        let dir = TempDir::new();
        let in_use = |path: &Path| {
            for replace_stale in [false, true] {
                expect_kept(path, replace_stale, "another server is using it");
            }
        };
        let [listening, bound, full, datagram, seqpacket] = [(); 5].map(|()| dir.socket());

        let server = UnixStreamServer::bind(&listening, || LineEcho).unwrap();
        in_use(&listening);
        // Without a client.
        let server = server.handle_request_timeout(Duration::ZERO);
        assert_eq!(
            server.handle_request().unwrap(),
            socketserver::Handled::Timeout
        );

        let options = UnixStreamServer::options().activate(false);
        let server = options.bind(&bound, || LineEcho).unwrap();
        in_use(&bound);
        server.server_activate().unwrap();
        in_use(&bound);

        let options = UnixStreamServer::options().request_queue_size(0);
        let server = options.bind(&full, || LineEcho).unwrap();
        let client = UnixStreamSocket::connect(&full).unwrap();
        in_use(&full);
        drop((client, server));

        let socket = UnixDatagramSocket::bind(&datagram).unwrap();
        in_use(&datagram);
        // A socket with a peer rejects datagrams of others.
        let peer = UnixDatagramSocket::bind(dir.socket()).unwrap();
        socket.connect_addr(&peer.local_addr().unwrap()).unwrap();
        in_use(&datagram);
        socket.set_nonblocking(true).unwrap();
        let received = socket.recv(&mut [0]).unwrap_err();
        assert_eq!(received.kind(), ErrorKind::WouldBlock);

        let socket = rustix::net::socket(AddressFamily::UNIX, SocketType::SEQPACKET, None).unwrap();
        let address = SocketAddrUnix::new(&seqpacket).unwrap();
        rustix::net::bind(&socket, &address).unwrap();
        in_use(&seqpacket);
        // The file is dead when the last descriptor is closed.
        let copy = socket.try_clone().unwrap();
        drop(socket);
        in_use(&seqpacket);
        drop(copy);
        expect_ok(bind::<UnixStream>(&seqpacket, true));
    });
}

#[cfg(target_os = "linux")]
#[test]
fn a_name_in_use_is_reported_as_such() {
    apart(test_name!("a_name_in_use_is_reported_as_such"), || {
        let name = UnixAddress::Abstract(unique_name().into_bytes());
        let service: fn() -> LineEcho = LineEcho::default;
        let options = || UnixStreamServer::options().replace_stale(true);
        let server = options().bind(name.clone(), service).unwrap();
        let error = error_of(options().bind(name.clone(), service));
        assert_eq!(kind_of(&error), ErrorKind::AddrInUse);
        assert!(error.to_string().contains("another socket has this name"));
        drop(server);
        expect_ok(options().bind(name, service));
    });
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_file_stays_if_permissions_are_missing() {
    apart(
        test_name!("a_file_stays_if_permissions_are_missing"),
        || {
            let dir = TempDir::new();
            let path = dir.socket();
            let parent = path.parent().unwrap();
            leave_stale(&path);
            // The mode of the directory, that of the file, and the reason.
            let cases = [
                (0o777, 0o000, "cannot find out whether a server uses it"),
                (
                    0o333,
                    0o777,
                    "has ended left this file, which was not replaced, because its directory",
                ),
                (
                    0o555,
                    0o777,
                    "has ended left this file, which was not replaced, because this process may",
                ),
            ];
            for (directory, file, expected) in cases {
                set_mode(&path, file);
                set_mode(parent, directory);
                without_privileges(|| expect_kept(&path, true, expected));
            }
            if rustix::process::geteuid().is_root() {
                set_mode(parent, 0o1777);
                without_privileges(|| expect_kept(&path, true, "must own the file"));
            }
            set_mode(parent, 0o777);
            without_privileges(|| expect_ok(bind::<UnixStream>(&path, true)));
        },
    );
}

#[test]
fn a_locked_directory_delays_the_replacement() {
    const LOCKED: &str =
        "has ended left this file, which was not replaced, because another process";
    let dir = TempDir::new();
    let path = dir.socket();
    leave_stale(&path);
    let directory = File::open(path.parent().unwrap()).unwrap();
    flock(&directory, FlockOperation::LockExclusive).unwrap();
    // A path without a file needs no lock.
    expect_ok(bind::<UnixStream>(&dir.socket(), true));
    expect_kept(&path, true, LOCKED);

    // The lock may be released so late that a server no longer waits for it.
    let replace = || {
        let waiting = path.clone();
        let waiting = std::thread::spawn(move || bind::<UnixStream>(&waiting, true).map(drop));
        flock(&directory, FlockOperation::Unlock).unwrap();
        let replaced = waiting.join().unwrap();
        if let Err(error) = &replaced {
            assert!(error.to_string().contains(LOCKED), "{error}");
            flock(&directory, FlockOperation::LockExclusive).unwrap();
        }
        replaced
    };
    let replaced = up_to_ten(replace, Result::is_ok);
    assert!(replaced.last().is_some_and(Result::is_ok), "{replaced:?}");
    // The servers have not kept the lock.
    flock(&directory, FlockOperation::NonBlockingLockExclusive).unwrap();
}

/// All but one of them report that the address is in use, whether there was a stale file or none.
#[test]
fn servers_that_start_at_the_same_time_get_a_path_once() {
    const SERVERS: usize = 2;
    let dir = TempDir::new();
    for round in 0..scale(400, 4000) {
        let path = dir.socket();
        if round % 2 == 0 {
            leave_stale(&path);
        }
        // Spins, because threads that a lock wakes start one after the other.
        let started = AtomicUsize::new(0);
        let start = || {
            started.fetch_add(1, Ordering::SeqCst);
            while started.load(Ordering::SeqCst) < SERVERS {
                std::hint::spin_loop();
            }
        };
        let servers: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..SERVERS)
                .map(|_| {
                    scope.spawn(|| {
                        start();
                        bind::<UnixStream>(&path, true)
                    })
                })
                .collect();
            threads.into_iter().map(|one| one.join().unwrap()).collect()
        });
        let (bound, failed): (Vec<_>, Vec<_>) = servers.into_iter().partition(Result::is_ok);
        assert_eq!(bound.len(), 1, "{failed:?}");
        for error in failed {
            assert_eq!(kind_of(&error_of(error)), ErrorKind::AddrInUse);
        }
        UnixStreamSocket::connect(&path).unwrap();
    }
}
