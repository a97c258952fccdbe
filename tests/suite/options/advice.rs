//! The cause and the next step in each error of binding, taking over and serving that a test can provoke.

#[cfg(unix)]
use std::os::unix::fs::symlink;

use rustix::fd::{FromRawFd, RawFd};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketType, socket_with};
#[cfg(unix)]
use rustix::process::Resource;

use super::errors::expect_message;
use super::*;

use crate::support::alone::{apart, limited, test_name};

fn bind_tcp(address: &str) -> Error {
    error_of(TcpServer::bind(address, || LineEcho))
}

fn bind_unix(path: &str) -> Error {
    error_of(UnixStreamServer::bind(path, || LineEcho))
}

#[test]
fn errors_of_resolving() {
    for (address, expected) in [
        ("localhost", "\"HOST:PORT\""),
        ("127.0.0.1:65536", "from 0 to 65535"),
        ("127.0.0.1:http", "\"HOST:PORT\""),
        ("::1", "\"[::1]:PORT\""),
        (":9999", "the host is missing: for all interfaces"),
        ("/run/my.sock", "a Unix server"),
        ("./my.sock", "a Unix server"),
        ("no such host:1", "the spelling of the host name"),
    ] {
        let error = bind_tcp(address);
        assert!(matches!(error, Error::Resolve { .. }), "{error:?}");
        expect_message(&error, &[address, expected]);
    }
}

#[test]
fn errors_of_internet_addresses() {
    for (address, expected) in [
        ("192.0.2.1:0", "to all, \"0.0.0.0:0\""),
        ("[2001:db8::1]:8080", "to all, \"[::]:8080\""),
        ("[fe80::1]:0", "[fe80::1%2]:0"),
        ("[fe80::1%99999]:0", "no network interface of the number"),
    ] {
        if address.starts_with('[') && !addresses::has_ipv6() {
            continue;
        }
        expect_message(&bind_tcp(address), &[address, expected]);
        let error = error_of(UdpServer::bind(address, || LineEcho));
        expect_message(&error, &[address, expected]);
    }
}

/// The first address is in use, and no machine has the second.
#[test]
fn the_error_of_an_address_of_this_machine_is_reported() {
    let server = TcpServer::bind(LOOPBACK, || LineEcho).unwrap();
    let used = *server.server_address();
    let elsewhere = "192.0.2.1:0".parse().unwrap();
    for addresses in [[used, elsewhere], [elsewhere, used]] {
        let error = error_of(TcpServer::bind(FirstOf::new(&addresses[..]), || LineEcho));
        expect_message(&error, &[&used.to_string(), "another socket"]);
    }
}

/// The port of an outgoing connection is in use, too.
#[test]
fn a_port_in_use_need_not_be_that_of_a_server() {
    let listener = TcpListener::bind(LOOPBACK).unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let error = bind_tcp(&client.local_addr().unwrap().to_string());
    expect_message(&error, &["of an outgoing connection", "ss -tuanp"]);
    if addresses::has_ipv6() {
        let port = listener.local_addr().unwrap().port();
        let options = TcpServer::options().only_v6(false);
        let error = error_of(options.bind(("::", port), || LineEcho));
        expect_message(&error, &["only_v6(true)"]);
    }
}

/// Restricts the socket to one port, which is in use.
#[test]
#[allow(unsafe_code, reason = "nothing safe sets this option")]
fn port_0_without_a_free_port() {
    let used = TcpListener::bind(LOOPBACK).unwrap();
    let port = u32::from(used.local_addr().unwrap().port());
    let options = TcpServer::options().before_bind(move |socket| {
        const IP_LOCAL_PORT_RANGE: libc::c_int = 51;
        let range = port << 16 | port;
        // SAFETY: the kernel reads as many bytes of `range` as the last argument says.
        let result = unsafe {
            libc::setsockopt(
                socket.as_raw_fd(),
                libc::IPPROTO_IP,
                IP_LOCAL_PORT_RANGE,
                (&raw const range).cast(),
                size_of_val(&range) as libc::socklen_t,
            )
        };
        nix::errno::Errno::result(result)?;
        Ok(())
    });
    let error = error_of(options.bind(LOOPBACK, || LineEcho));
    if kind_of(&error) == ErrorKind::AddrInUse {
        expect_message(&error, &["no port is free"]);
    } else {
        println!("not tested: Linux has this option since 6.3: {error:?}");
    }
}

/// The number of the error is that of a port below 1024.
#[test]
fn errors_of_before_bind() {
    let failing = |errno: Errno| {
        let options = TcpServer::options().before_bind(move |_| Err(errno.into()));
        error_of(options.bind(LOOPBACK, || LineEcho))
    };
    let error = failing(Errno::PERM);
    assert_eq!(kind_of(&error), ErrorKind::PermissionDenied);
    expect_message(&error, &["the function given to `before_bind` has failed"]);
    let dir = TempDir::new();
    let options = UnixStreamServer::options().before_bind(|_| Err(Errno::NOENT.into()));
    let error = error_of(options.bind(dir.socket(), || LineEcho));
    expect_message(&error, &["the function given to `before_bind` has failed"]);

    let options = TcpServer::options().before_bind(|socket| {
        let address: SocketAddr = LOOPBACK.parse().unwrap();
        SockRef::from(&socket).bind(&address.into())
    });
    let error = error_of(options.bind(LOOPBACK, || LineEcho));
    expect_message(&error, &["bound or connected already"]);
    let path = dir.socket();
    let options = UnixStreamServer::options()
        .before_bind(move |socket| SockRef::from(&socket).bind(&SockAddr::unix(&path)?));
    let error = error_of(options.bind(dir.socket(), || LineEcho));
    expect_message(&error, &["bound or connected already"]);
}

#[test]
fn errors_of_missing_privileges() {
    apart(test_name!("errors_of_missing_privileges"), || {
        let dir = TempDir::new();
        let path = dir.socket();
        let parent = path.parent().unwrap().to_owned();
        let set_mode = |mode| {
            std::fs::set_permissions(&parent, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        set_mode(0o555);
        let first = "/proc/sys/net/ipv4/ip_unprivileged_port_start";
        let first = std::fs::read_to_string(first).unwrap_or_default();
        without_privileges(|| {
            expect_message(&bind_unix(path.to_str().unwrap()), &["write permission"]);
            if first.trim().parse::<u16>().is_ok_and(|first| first > 1) {
                let expected = ["CAP_NET_BIND_SERVICE", "SELinux"];
                expect_message(&bind_tcp("127.0.0.1:1"), &expected);
            }
        });
        set_mode(0o755);
    });
}

#[test]
fn errors_without_descriptors() {
    apart(test_name!("errors_without_descriptors"), || {
        let dir = TempDir::new();
        let path = dir.socket();
        drop(UnixListener::bind(&path).unwrap());
        let used = std::fs::read_dir("/dev/fd").unwrap().count() as u64;
        limited(Resource::Nofile, 0, || {
            expect_message(&bind_tcp(LOOPBACK), &["ulimit -n"]);
            expect_message(&bind_unix(path.to_str().unwrap()), &["ulimit -n"]);
        });
        // Enough for the socket, and not for the rest of a server.
        for limit in 0..used + 8 {
            let bound = limited(Resource::Nofile, limit, || {
                TcpServer::bind(LOOPBACK, || LineEcho)
            });
            if let Err(error) = bound {
                expect_message(&error, &["ulimit -n"]);
            }
        }
    });
}

#[cfg(target_os = "linux")]
/// Makes the system reject IPv6 sockets on this thread, as a kernel without IPv6 and `RestrictAddressFamilies` of
/// systemd do.
#[allow(unsafe_code, reason = "nothing safe installs a filter of system calls")]
fn disable_ipv6() {
    let step = |code: u32, jump_if: u8, value: u32| libc::sock_filter {
        code: code as u16,
        jt: 0,
        jf: jump_if,
        k: value,
    };
    // Offsets in `struct seccomp_data` of the number of the call and of its first argument.
    let argument = if cfg!(target_endian = "big") { 20 } else { 16 };
    let mut steps = [
        step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0),
        step(
            libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K,
            3,
            libc::SYS_socket as u32,
        ),
        step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, argument),
        step(
            libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K,
            1,
            libc::AF_INET6 as u32,
        ),
        step(
            libc::BPF_RET | libc::BPF_K,
            0,
            libc::SECCOMP_RET_ERRNO | libc::EAFNOSUPPORT as u32,
        ),
        step(libc::BPF_RET | libc::BPF_K, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog {
        len: steps.len() as u16,
        filter: steps.as_mut_ptr(),
    };
    // SAFETY: the kernel copies the program during the call.
    let results = unsafe {
        [
            libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0),
            libc::prctl(
                libc::PR_SET_SECCOMP,
                libc::SECCOMP_MODE_FILTER,
                &raw const program,
            ),
        ]
    };
    assert_eq!(results, [0, 0], "{}", io::Error::last_os_error());
}

#[cfg(target_os = "linux")]
#[test]
fn errors_without_ipv6() {
    in_time(|| {
        disable_ipv6();
        for address in ["[::]:8080", "[::1]:8080"] {
            let expected = ["has no IPv6", "\"0.0.0.0:8080\""];
            expect_message(&bind_tcp(address), &expected);
            let error = error_of(UdpServer::bind(address, || LineEcho));
            expect_message(&error, &expected);
        }
        // IPv6 is not to blame.
        let server = TcpServer::bind(LOOPBACK, || LineEcho).unwrap();
        let used = *server.server_address();
        let v6 = SocketAddr::from((std::net::Ipv6Addr::LOCALHOST, used.port()));
        let error = error_of(TcpServer::bind(&[used, v6][..], || LineEcho));
        expect_message(&error, &[&used.to_string(), "another socket"]);
    });
}

#[test]
fn errors_of_paths() {
    let dir = TempDir::new();
    let path = dir.socket();
    let dir = path.parent().unwrap().to_str().unwrap();
    std::fs::write(&path, "").unwrap();
    symlink("b", format!("{dir}/a")).unwrap();
    symlink("a", format!("{dir}/b")).unwrap();
    let file = path.to_str().unwrap();
    for (path, expected) in [
        (format!("{dir}/missing/s"), "create the directory"),
        (format!("{dir}/missing/"), "remove the slash"),
        (format!("{file}/s"), "should be a directory is a file"),
        (format!("{dir}/a/s"), "refer to each other"),
        (format!("{dir}/{}", "s".repeat(108)), "at most 107 bytes"),
        (dir.to_owned(), "a directory is at this path"),
        (file.to_owned(), "a regular file is at this path"),
        (format!("{dir}/a"), "a symbolic link is at this path"),
        (format!("{dir}/s\0s"), "zero byte"),
        #[cfg(target_os = "linux")]
        ("@name".to_owned(), "UnixAddress::Abstract"),
        #[cfg(target_os = "linux")]
        ("@name".to_owned(), "./@"),
    ] {
        expect_message(&bind_unix(&path), &[expected]);
        let error = error_of(UnixDatagramServer::bind(&path, || LineEcho));
        expect_message(&error, &[expected]);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn errors_of_names() {
    let name = UnixAddress::Abstract(vec![b'n'; 108]);
    let error = error_of(UnixStreamServer::bind(name, || LineEcho));
    expect_message(
        &error,
        &["a name in the abstract namespace", "shorter name"],
    );
}

/// The address of a server is the address of an abstract name as it is printed.
#[cfg(target_os = "linux")]
#[test]
fn a_path_is_not_taken_for_a_printed_name() {
    let name = unique_name();
    let address = UnixAddress::Abstract(name.clone().into_bytes());
    let server = UnixStreamServer::bind(address, || LineEcho).unwrap();
    let printed = server.server_address().to_string();
    assert_eq!(printed, format!("@{name}"));
    expect_message(&bind_unix(&printed), &["UnixAddress::Abstract"]);

    let dir = TempDir::new();
    let file = dir.socket().with_file_name("@name");
    let server = UnixStreamServer::bind(&file, || LineEcho).unwrap();
    assert_eq!(server.server_address(), &UnixAddress::Path(file.clone()));
    assert!(file.exists());
}

fn adopt<T: FromListener<L>, L: From<OwnedFd>>(descriptor: impl Into<OwnedFd>) -> Error
where
    fn() -> LineEcho: socketserver::Service<T::Request>,
{
    let listener = L::from(descriptor.into());
    let service = LineEcho::default as fn() -> LineEcho;
    let error = error_of(Server::<T, _, Sequential>::from_listener(listener, service));
    assert!(matches!(error, Error::Bind { .. }), "{error:?}");
    assert!(
        error
            .to_string()
            .starts_with("cannot use the given socket ("),
        "{error}"
    );
    error
}

#[test]
fn errors_of_given_sockets() {
    let dir = TempDir::new();
    let tcp = || TcpListener::bind(LOOPBACK).unwrap();
    let udp = || UdpSocket::bind(LOOPBACK).unwrap();
    let stream = || UnixListener::bind(dir.socket()).unwrap();
    let datagram = || UnixDatagramSocket::bind(dir.socket()).unwrap();

    let wrong = ["is a UDP socket", "pass a TCP socket", "`UdpServer`"];
    expect_message(&adopt::<Tcp, TcpListener>(udp()), &wrong);
    let wrong = [
        "is a Unix stream socket",
        "pass a TCP socket",
        "`UnixStreamServer`",
    ];
    expect_message(&adopt::<Tcp, TcpListener>(stream()), &wrong);
    let wrong = ["is a TCP socket", "pass a UDP socket", "`TcpServer`"];
    expect_message(&adopt::<Udp, UdpSocket>(tcp()), &wrong);
    let wrong = [
        "is a Unix datagram socket",
        "pass a UDP socket",
        "`UnixDatagramServer`",
    ];
    expect_message(&adopt::<Udp, UdpSocket>(datagram()), &wrong);
    let wrong = ["is a TCP socket", "pass a Unix stream socket"];
    expect_message(&adopt::<UnixStream, UnixListener>(tcp()), &wrong);
    let wrong = ["is a Unix datagram socket", "pass a Unix stream socket"];
    expect_message(&adopt::<UnixStream, UnixListener>(datagram()), &wrong);
    let wrong = ["is a Unix stream socket", "pass a Unix datagram socket"];
    expect_message(&adopt::<UnixDatagram, UnixDatagramSocket>(stream()), &wrong);
    let wrong = ["is a UDP socket", "pass a Unix datagram socket"];
    expect_message(&adopt::<UnixDatagram, UnixDatagramSocket>(udp()), &wrong);

    #[cfg(target_os = "linux")]
    {
        let flags = rustix::net::SocketFlags::CLOEXEC;
        let packets = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).unwrap();
        let wrong = ["is a socket of another kind", "pass a Unix stream socket"];
        expect_message(&adopt::<UnixStream, UnixListener>(packets), &wrong);
        let netlink = socket_with(AddressFamily::NETLINK, SocketType::DGRAM, flags, None).unwrap();
        let wrong = ["is a socket of another kind", "pass a UDP socket"];
        expect_message(&adopt::<Udp, UdpSocket>(netlink), &wrong);
    }

    // Connections, as inetd and systemd with `Accept=yes` pass them.
    let listener = tcp();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let wrong = ["is a connection", "Accept=no"];
    expect_message(&adopt::<Tcp, TcpListener>(client), &wrong);
    let (client, _peer) = UnixStreamSocket::pair().unwrap();
    expect_message(&adopt::<UnixStream, UnixListener>(client), &wrong);

    let not_bound = ["has no address", "the socket is not bound"];
    let unbound = |domain, kind| Socket::new(domain, kind, None).unwrap();
    let tcp = unbound(Domain::IPV6, Type::STREAM);
    expect_message(&adopt::<Tcp, TcpListener>(tcp), &not_bound);
    let datagram = unbound(Domain::UNIX, Type::DGRAM);
    expect_message(
        &adopt::<UnixDatagram, UnixDatagramSocket>(datagram),
        &not_bound,
    );

    let file = std::fs::File::open("/dev/null").unwrap();
    let wrong = ["is not a socket", "LISTEN_FDS"];
    expect_message(&adopt::<Tcp, TcpListener>(file), &wrong);
    let (reader, _writer) = io::pipe().unwrap();
    expect_message(&adopt::<UnixDatagram, UnixDatagramSocket>(reader), &wrong);
}

/// Descriptor 3 of a program that systemd has not started.
#[test]
#[allow(unsafe_code, reason = "a descriptor is passed by its number")]
fn a_given_descriptor_that_is_not_open() {
    apart(test_name!("a_given_descriptor_that_is_not_open"), || {
        const CLOSED: RawFd = 999;
        // SAFETY: no code of this process uses the number.
        let descriptor = unsafe { OwnedFd::from_raw_fd(CLOSED) };
        let error = adopt::<Tcp, TcpListener>(descriptor);
        expect_message(&error, &["descriptor 999 is not open", "LISTEN_FDS"]);
    });
}

#[test]
fn an_error_of_listening() {
    let bound = || {
        let options = TcpServer::options().activate(false);
        options.bind(own_loopback(), || LineEcho).unwrap()
    };
    let first = bound();
    let options = TcpServer::options().activate(false);
    let second = options.bind(*first.server_address(), || LineEcho).unwrap();
    first.server_activate().unwrap();
    let error = error_of(second.server_activate());
    assert!(matches!(error, Error::Activate { .. }), "{error:?}");
    expect_message(&error, &["cannot listen on", "another socket"]);
}

/// Another process that has the socket shuts it down. Only accepting from a TCP listener reports this. On other systems,
/// a listener is not connected, and cannot be shut down.
#[cfg(target_os = "linux")]
fn an_error_of_accepting<T: Reachable>() {
    let dir = TempDir::new();
    let server = T::bind::<_, Threading>(&dir, Server::options(), || LineEcho).unwrap();
    let copy = server.as_fd().try_clone_to_owned().unwrap();
    // An error of datagram sockets, which have no peer, and are shut down all the same.
    let _ = rustix::net::shutdown(&copy, rustix::net::Shutdown::Read);
    let error = in_time(move || error_of(server.serve_forever()));
    assert!(matches!(error, Error::Accept { .. }), "{error:?}");
    expect_message(
        &error,
        &["cannot accept requests any more", "has shut it down"],
    );
}

#[cfg(target_os = "linux")]
over!([Tcp, Udp, UnixStream, UnixDatagram] an_error_of_accepting);
