//! `mode`, `owner`, `group` and `remove_on_close`: who may use the file of a Unix socket, and its end.

#![allow(unsafe_code, reason = "forks, and asks what a policy permits")]

use std::fs::{self, File, Permissions};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork};
use rustix::fs::Mode;
use socketserver::transport::Unix;
use socketserver::{ForkingUnixStreamServer, ServerOptions};

use super::*;

use crate::support::alone::{apart, test_name};
use crate::support::scale::scale;

/// Whether the system can create a socket file with a mode. Elsewhere, the mode is set afterwards.
const IS_CREATED_WITH_MODE: bool = cfg!(all(target_os = "linux", not(socketserver_portable)));

type Service = fn() -> LineEcho;
type Options<T> = ServerOptions<T, Service, Sequential>;

const SERVICE: Service = LineEcho::default;
/// User and group that the tests of root give files to. `without_privileges` is of this user.
const OTHER: u32 = 12_345;

/// A transport whose files the tests examine.
trait Files: Reachable<Address = UnixAddress> + Unix + for<'a> Bind<&'a Path> {}
impl Files for UnixStream {}
impl Files for UnixDatagram {}

fn options<T: Files>() -> Options<T>
where
    Service: socketserver::Service<T::Request>,
{
    Server::options()
}

fn mode_of(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().mode() & 0o7777
}

/// Waits until a file exists, and returns the mode that it has then.
fn first_mode(path: &Path, has_ended: &AtomicBool) -> Option<u32> {
    loop {
        // Read first, because the file can appear between the two.
        let is_last = has_ended.load(Ordering::SeqCst);
        match fs::symlink_metadata(path) {
            Ok(file) => return Some(file.mode() & 0o7777),
            Err(_) if is_last => return None,
            Err(_) => std::hint::spin_loop(),
        }
    }
}

/// Returns whether the system and its policy permit a thread with a umask of its own, without which the file has
/// fewer permissions at first.
#[cfg(target_os = "linux")]
fn threads_can_have_a_umask() -> bool {
    // SAFETY: the call concerns only the new thread, which ends.
    let unshare = || unsafe { nix::libc::unshare(nix::libc::CLONE_FS) } == 0;
    IS_CREATED_WITH_MODE && std::thread::spawn(unshare).join().unwrap()
}

#[cfg(not(target_os = "linux"))]
fn threads_can_have_a_umask() -> bool {
    false
}

fn a_file_has_its_mode_from_the_first_moment<T: Files>()
where
    Service: socketserver::Service<T::Request>,
{
    rustix::process::umask(Mode::from_raw_mode(0o027));
    let can_be_exact = threads_can_have_a_umask();
    let dir = TempDir::new();
    for mode in [0o666, 0o660, 0o600, 0o777, 0o222, 0o000] {
        for _ in 0..scale(20, 100) {
            let path = dir.socket();
            let has_ended = AtomicBool::new(false);
            let (first, last) = std::thread::scope(|scope| {
                let watcher = scope.spawn(|| first_mode(&path, &has_ended));
                let server = options::<T>().mode(mode).bind(&*path, SERVICE).unwrap();
                let last = mode_of(&path);
                has_ended.store(true, Ordering::SeqCst);
                drop(server);
                (watcher.join().unwrap().unwrap(), last)
            });
            assert_eq!(last, mode);
            let is_narrow = first & !mode == 0 || !IS_CREATED_WITH_MODE;
            assert!(is_narrow, "{first:o} before {mode:o}");
            assert!(!can_be_exact || first == mode, "{first:o} before {mode:o}");
        }
    }
    let path = dir.socket();
    let server = options::<T>().bind(&*path, SERVICE).unwrap();
    assert_eq!(mode_of(&path), 0o777 & !0o027); // as without the option
    drop(server);
}

over_apart!([UnixStream, UnixDatagram] a_file_has_its_mode_from_the_first_moment);

/// As a change of the umask would do, which belongs to the whole process.
#[test]
fn files_of_other_threads_keep_the_umask() {
    apart(test_name!("files_of_other_threads_keep_the_umask"), || {
        rustix::process::umask(Mode::from_raw_mode(0o077));
        let dir = TempDir::new();
        let paths: Vec<_> = (0..scale(100, 500)).map(|_| dir.socket()).collect();
        let other = dir.socket();
        let has_ended = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let files = scope.spawn(|| {
                while !has_ended.load(Ordering::SeqCst) {
                    drop(File::create(&other).unwrap());
                    assert_eq!(mode_of(&other), 0o600);
                    fs::remove_file(&other).unwrap();
                }
            });
            for path in &paths {
                let options = options::<UnixStream>().mode(0o666).remove_on_close(true);
                expect_ok(options.bind(path, SERVICE));
            }
            has_ended.store(true, Ordering::SeqCst);
            files.join().unwrap();
        });
        assert_eq!(
            rustix::process::umask(Mode::empty()),
            Mode::from_raw_mode(0o077)
        );
    });
}

#[test]
fn a_mode_decides_who_can_connect() {
    apart(test_name!("a_mode_decides_who_can_connect"), || {
        if !rustix::process::geteuid().is_root() {
            return; // cannot become another user
        }
        let dir = TempDir::new();
        let path = dir.socket();
        fs::set_permissions(path.parent().unwrap(), Permissions::from_mode(0o755)).unwrap();
        for (mode, owner, group, may_connect) in [
            (0o600, None, None, false),
            (0o666, None, None, true),
            (0o600, Some(OTHER), None, true),
            (0o660, None, Some(OTHER), false), // of the user, but not of the group
            (0o606, None, Some(OTHER), true),
        ] {
            let mut options = options::<UnixStream>().mode(mode).remove_on_close(true);
            if let Some(owner) = owner {
                options = options.owner(owner);
            }
            if let Some(group) = group {
                options = options.group(group);
            }
            let server = options.bind(&path, SERVICE).unwrap();
            let file = fs::symlink_metadata(&path).unwrap();
            let expected = (owner.unwrap_or(0), group.unwrap_or(file.gid()), mode);
            assert_eq!((file.uid(), file.gid(), file.mode() & 0o7777), expected);
            without_privileges(|| {
                let connected = UnixStreamSocket::connect(&path);
                assert_eq!(connected.is_ok(), may_connect, "{mode:o}: {connected:?}");
            });
            drop(server);
            assert!(!path.exists());
        }
    });
}

/// Checks that binding fails with this kind and advice, and leaves no file.
#[track_caller]
fn expect_rejected<T: Files>(options: Options<T>, path: &Path, kind: ErrorKind, advice: &str)
where
    Service: socketserver::Service<T::Request>,
{
    let error = error_of(options.bind(path, SERVICE));
    assert_eq!(kind_of(&error), kind, "{error:?}");
    assert!(error.to_string().contains(advice), "{error:?}");
    assert!(!path.exists());
}

#[test]
fn an_owner_that_is_not_permitted_leaves_no_file() {
    let test = test_name!("an_owner_that_is_not_permitted_leaves_no_file");
    apart(test, || {
        let dir = TempDir::new();
        let path = dir.socket();
        fs::set_permissions(path.parent().unwrap(), Permissions::from_mode(0o777)).unwrap();
        without_privileges(|| {
            let denied = ErrorKind::PermissionDenied;
            let stream = options::<UnixStream>;
            let datagram = options::<UnixDatagram>;
            expect_rejected(stream().owner(1), &path, denied, "CAP_CHOWN");
            expect_rejected(datagram().owner(1).mode(0o600), &path, denied, "CAP_CHOWN");
            expect_rejected(
                stream().group(4321),
                &path,
                denied,
                "add its user to the group",
            );
            let user = rustix::process::geteuid().as_raw();
            expect_rejected(
                stream().owner(user).group(4321),
                &path,
                denied,
                "add its user to the group",
            );
            let group = rustix::process::getegid().as_raw();
            let options = stream().owner(user).group(group).mode(0o640);
            let server = options.remove_on_close(true).bind(&path, SERVICE).unwrap();
            assert_eq!(mode_of(&path), 0o640);
            drop(server);
        });
    });
}

#[test]
fn values_without_meaning_are_rejected() {
    let dir = TempDir::new();
    let path = dir.socket();
    let invalid = ErrorKind::InvalidInput;
    let options = options::<UnixStream>;
    expect_rejected(options().mode(660), &path, invalid, "such as 0o660");
    expect_rejected(options().mode(0o4600), &path, invalid, "such as 0o660");
    expect_rejected(
        options().owner(u32::MAX),
        &path,
        invalid,
        "numbers of a user",
    );
    expect_rejected(
        options().group(u32::MAX),
        &path,
        invalid,
        "numbers of a user",
    );
}

#[cfg(target_os = "linux")]
#[test]
fn names_have_no_file_options() {
    let invalid = ErrorKind::InvalidInput;
    let options = options::<UnixStream>;
    let name = UnixAddress::Abstract(unique_name().into_bytes());
    for options in [
        options().mode(0o600),
        options().owner(0),
        options().group(0),
    ] {
        let error = error_of(options.bind(name.clone(), SERVICE));
        assert_eq!(kind_of(&error), invalid);
        assert!(error.to_string().contains("peer_credentials"), "{error:?}");
    }
    let options = options().remove_on_close(true).replace_stale(true);
    let server = options.bind(name.clone(), SERVICE).unwrap();
    assert_eq!(*server.server_address(), name);
}

/// Binds a server that removes its file.
fn removing<T: Files>(path: &Path) -> Server<T, Service, Sequential>
where
    Service: socketserver::Service<T::Request>,
{
    let options = options::<T>().replace_stale(true).remove_on_close(true);
    options.bind(path, SERVICE).unwrap()
}

fn a_file_is_removed_with_its_server<T: Files>()
where
    Service: socketserver::Service<T::Request>,
{
    let dir = TempDir::new();
    let path = dir.socket();
    for _ in 0..2 {
        let server = removing::<T>(&path);
        assert!(path.exists());
        drop(server);
        assert!(!path.exists());
    }
    let server = removing::<T>(&path).spawn().unwrap();
    let client = T::connect(server.server_address());
    assert_eq!(client.ask("hello\n"), "hello\n");
    drop(client);
    server.stop().unwrap();
    assert!(!path.exists());

    // Its mode is not a part of its identity.
    let server = removing::<T>(&path);
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    server.server_close();
    assert!(!path.exists());

    drop(options::<T>().bind(&*path, SERVICE).unwrap());
    assert!(path.exists(), "not the default");
}

over!([UnixStream, UnixDatagram] a_file_is_removed_with_its_server);

#[test]
fn the_file_of_another_server_stays() {
    let dir = TempDir::new();
    let path = dir.socket();
    let old = removing::<UnixStream>(&path);
    fs::remove_file(&path).unwrap();
    let new = removing::<UnixStream>(&path);
    drop(old);
    assert!(path.exists());
    UnixStreamSocket::connect(&path).unwrap();
    drop(new);
    assert!(!path.exists());

    // A file that is no socket, or none at all.
    let server = removing::<UnixStream>(&path);
    fs::remove_file(&path).unwrap();
    File::create(&path).unwrap();
    drop(server);
    assert!(path.exists());
    let gone = dir.socket();
    let server = removing::<UnixStream>(&gone);
    fs::remove_file(&gone).unwrap();
    drop(server);
}

#[test]
fn the_file_of_a_given_socket_stays() {
    let dir = TempDir::new();
    let path = dir.socket();
    let listener = UnixListener::bind(&path).unwrap();
    let options = options::<UnixStream>().remove_on_close(true);
    drop(options.from_listener(listener, SERVICE).unwrap());
    assert!(path.exists());
}

#[test]
fn a_relative_path_is_removed_from_another_directory() {
    let test = test_name!("a_relative_path_is_removed_from_another_directory");
    apart(test, || {
        let dir = TempDir::new();
        let path = dir.socket();
        std::env::set_current_dir(path.parent().unwrap()).unwrap();
        let server = removing::<UnixStream>(Path::new(path.file_name().unwrap()));
        std::env::set_current_dir("/").unwrap();
        drop(server);
        assert!(!path.exists());
    });
}

#[test]
fn children_that_serve_leave_the_file() {
    apart(test_name!("children_that_serve_leave_the_file"), || {
        let dir = TempDir::new();
        let path = dir.socket();
        let options = ForkingUnixStreamServer::options().remove_on_close(true);
        let server = options.bind(&path, || LineEcho).unwrap();
        let server = server.strategy(forking()).spawn().unwrap();
        for _ in 0..3 {
            let client = UnixStream::connect(server.server_address());
            assert_eq!(client.ask("a\n"), "a\n");
            client.finish();
            assert!(server.handle().wait_until_idle(PATIENCE));
            assert!(path.exists());
        }
        server.stop().unwrap();
        assert!(!path.exists());
    });
}

/// Runs `work` in a forked process.
fn in_child(work: impl FnOnce()) -> Pid {
    // SAFETY: no other thread of this process holds a lock that `work` takes.
    match unsafe { fork() }.unwrap() {
        ForkResult::Child => {
            work();
            // SAFETY: the call has no preconditions.
            unsafe { nix::libc::_exit(0) }
        }
        ForkResult::Parent { child } => child,
    }
}

fn expect_success(child: Pid) {
    assert_eq!(waitpid(child, None), Ok(WaitStatus::Exited(child, 0)));
}

#[test]
fn a_file_is_removed_by_its_process_or_by_a_daemon() {
    let test = test_name!("a_file_is_removed_by_its_process_or_by_a_daemon");
    apart(test, || {
        let dir = TempDir::new();
        let path: PathBuf = dir.socket();
        let server = removing::<UnixStream>(&path);
        let mut copy = Some(server);
        expect_success(in_child(|| drop(copy.take())));
        assert!(path.exists(), "a child has closed its copy");
        drop(copy);
        assert!(!path.exists());

        // The process that binds ends before the one that serves, as that of a daemon does.
        let (released, release) = std::io::pipe().unwrap();
        let mut release = Some(release);
        let binder = in_child(|| {
            release.take();
            let mut server = Some(removing::<UnixStream>(&path));
            in_child(|| {
                // Ends when the test has released it, or has ended.
                let _ = std::io::read_to_string(&released);
                drop(server.take());
            });
            std::mem::forget(server);
        });
        expect_success(binder);
        assert!(path.exists());
        release.take();
        eventually("the daemon removes the file", || !path.exists());
    });
}

/// Servers that come and go at one path: each that is bound can be reached.
#[test]
fn servers_that_replace_each_other_never_lose_their_file() {
    let dir = TempDir::new();
    let path = dir.socket();
    let bound = std::sync::atomic::AtomicUsize::new(0);
    let rounds = scale(100, 300);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while bound.load(Ordering::SeqCst) < rounds {
                    let options = options::<UnixStream>()
                        .replace_stale(true)
                        .remove_on_close(true)
                        .mode(0o600);
                    match options.bind(&path, SERVICE) {
                        Ok(server) => {
                            bound.fetch_add(1, Ordering::SeqCst);
                            let file = fs::symlink_metadata(&path).unwrap();
                            UnixStreamSocket::connect(&path).unwrap();
                            let now = fs::symlink_metadata(&path).unwrap();
                            assert_eq!(now.ino(), file.ino());
                            drop(server);
                        }
                        Err(error) => assert_eq!(kind_of(&error), ErrorKind::AddrInUse, "{error}"),
                    }
                }
            });
        }
    });
    assert!(!path.exists());
}
