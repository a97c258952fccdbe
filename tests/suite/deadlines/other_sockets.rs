//! Sockets of other kinds.

use super::*;

/// Says as little as it may: it has no descriptor, and knows nothing of its times.
struct Plain(TcpStream);

impl StreamSocket for Plain {
    type Address = SocketAddr;

    fn recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        StreamSocket::recv(&self.0, buffer)
    }

    fn send(&self, data: &[u8]) -> io::Result<usize> {
        StreamSocket::send(&self.0, data)
    }

    fn try_send(&self, data: &[u8]) -> io::Result<usize> {
        self.0.try_send(data)
    }

    fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        StreamSocket::shutdown(&self.0, how)
    }

    fn set_timeout(&self, timeout: Option<Duration>) -> io::Result<()> {
        StreamSocket::set_timeout(&self.0, timeout)
    }
}

struct PlainTcp {
    listener: TcpListener,
    address: SocketAddr,
    deadlines: TimeoutConfig,
}

impl Transport for PlainTcp {
    type Request = StreamRequest<Plain>;
    type Address = SocketAddr;

    const KIND: RequestKind = RequestKind::Connection;

    fn server_address(&self) -> &SocketAddr {
        &self.address
    }

    fn get_request(&self, server: &ServerHandle) -> io::Result<Self::Request> {
        let (socket, peer) = self.listener.accept()?;
        StreamRequest::with_timeouts(Plain(socket), peer, server, &self.deadlines)
    }
}

impl AsFd for PlainTcp {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }
}

impl Bind<TimeoutConfig> for PlainTcp {
    fn server_bind(deadlines: TimeoutConfig, _: &SocketOptions) -> Result<Self, Error> {
        let listen = || {
            let listener = TcpListener::bind(LOOPBACK)?;
            listener.set_nonblocking(true)?;
            let address = listener.local_addr()?;
            Ok((listener, address))
        };
        let (listener, address) = listen().map_err(|source| Error::Bind {
            address: LOOPBACK.into(),
            source,
        })?;
        Ok(Self {
            listener,
            address,
            deadlines,
        })
    }
}

fn a_socket_that_knows_nothing_keeps_the_times<M: Strategy + Default>() {
    for (kind, _) in KINDS {
        let mut deadlines = TimeoutConfig::default();
        for (other, _) in KINDS {
            let time = Some(if other == kind { SOON } else { LONG });
            match other {
                TimeoutKind::Read => deadlines.read = time,
                TimeoutKind::Write => deadlines.write = time,
                TimeoutKind::FirstByte => deadlines.first_byte = time,
                TimeoutKind::Idle => deadlines.idle = time,
                _ => deadlines.request = time,
            }
        }
        let (hooks, told) = told(Hooks::new(move |request: &mut StreamRequest<Plain>| {
            if kind == TimeoutKind::Write {
                write_without_end(request)?;
            }
            echo_lines(request)
        }));
        let server = Server::<PlainTcp, _, M>::bind(deadlines, hooks).unwrap();
        let client = Tcp::connect(server.server_address());
        client.send("on");
        let server = server.spawn().unwrap();
        let handle = server.handle();
        match kind {
            TimeoutKind::FirstByte => {
                // That was in time.
                thread::sleep(PAUSE);
                assert_eq!(client.ask("e\n"), "one\n");
                let _silent = Tcp::connect(server.server_address());
                drop(client);
                assert_eq!(next(&told).kind, Some(kind));
            }
            TimeoutKind::Idle => {
                thread::sleep(PAUSE);
                assert_eq!(client.ask("e\n"), "one\n");
                client.expect_end();
                assert_eq!(next(&told).kind, Some(kind));
            }
            _ => assert_eq!(next(&told).kind, Some(kind)),
        }
        in_time(|| server.stop()).unwrap();
        assert_eq!(all_counted(&handle.stats()), [(kind, 1)]);
    }
}

by_strategy!(a_socket_that_knows_nothing_keeps_the_times,);

#[test]
fn a_socket_of_ones_own_is_refused_a_time_of_zero() {
    let mut deadlines = TimeoutConfig::default();
    deadlines.request = Some(Duration::ZERO);
    let service = Hooks::<StreamRequest<Plain>>::echo();
    let server = Server::<PlainTcp, _, Sequential>::bind(deadlines, service).unwrap();
    let _client = Tcp::connect(server.server_address());
    match in_time(move || server.serve_forever()) {
        Err(Error::Accept { source, .. }) => assert_eq!(source.kind(), ErrorKind::InvalidInput),
        other => panic!("it was served: {other:?}"),
    }
}
