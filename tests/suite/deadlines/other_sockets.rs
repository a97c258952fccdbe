//! Socket types outside of the crate.

use super::*;

/// A socket that implements only the required methods: it reports no descriptor and no timeouts.
struct Minimal(TcpStream);

impl StreamSocket for Minimal {
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

struct MinimalTcp {
    listener: TcpListener,
    address: SocketAddr,
    timeouts: TimeoutConfig,
}

impl Transport for MinimalTcp {
    type Request = StreamRequest<Minimal>;
    type Address = SocketAddr;

    const KIND: RequestKind = RequestKind::Connection;

    fn server_address(&self) -> &SocketAddr {
        &self.address
    }

    fn get_request(&self, server: &ServerHandle) -> io::Result<Self::Request> {
        let (socket, peer) = self.listener.accept()?;
        StreamRequest::with_timeouts(Minimal(socket), peer, server, &self.timeouts)
    }
}

impl_as_fd!(MinimalTcp, listener);

impl Bind<TimeoutConfig> for MinimalTcp {
    fn server_bind(timeouts: TimeoutConfig, _: &SocketOptions) -> Result<Self, Error> {
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
            timeouts,
        })
    }
}

fn timeouts_apply_to_a_minimal_socket<M: Strategy + Default>() {
    for (kind, _) in KINDS {
        let mut timeouts = TimeoutConfig::default();
        for (other, _) in KINDS {
            let timeout = Some(if other == kind { SOON } else { LONG });
            match other {
                TimeoutKind::Read => timeouts.read = timeout,
                TimeoutKind::Write => timeouts.write = timeout,
                TimeoutKind::FirstByte => timeouts.first_byte = timeout,
                TimeoutKind::Idle => timeouts.idle = timeout,
                _ => timeouts.request = timeout,
            }
        }
        let (hooks, reported) =
            reported(Hooks::new(move |request: &mut StreamRequest<Minimal>| {
                if kind == TimeoutKind::Write {
                    write_until_error(request)?;
                }
                echo_lines(request)
            }));
        let server = Server::<MinimalTcp, _, M>::bind(timeouts, hooks).unwrap();
        let client = Tcp::connect(server.server_address());
        client.send("on");
        let server = server.spawn().unwrap();
        let handle = server.handle();
        match kind {
            TimeoutKind::FirstByte => {
                // The first byte was in time.
                thread::sleep(PAUSE);
                assert_eq!(client.ask("e\n"), "one\n");
                let _silent = Tcp::connect(server.server_address());
                drop(client);
                assert_eq!(next(&reported).kind, Some(kind));
            }
            TimeoutKind::Idle => {
                thread::sleep(PAUSE);
                assert_eq!(client.ask("e\n"), "one\n");
                client.expect_end();
                assert_eq!(next(&reported).kind, Some(kind));
            }
            _ => assert_eq!(next(&reported).kind, Some(kind)),
        }
        in_time(|| server.stop()).unwrap();
        assert_eq!(all_counted(&handle.stats()), [(kind, 1)]);
    }
}

by_strategy!(timeouts_apply_to_a_minimal_socket,);

#[test]
fn a_timeout_of_zero_is_an_error_for_a_custom_transport() {
    let mut timeouts = TimeoutConfig::default();
    timeouts.request = Some(Duration::ZERO);
    let service = Hooks::<StreamRequest<Minimal>>::echo();
    let server = Server::<MinimalTcp, _, Sequential>::bind(timeouts, service).unwrap();
    let _client = Tcp::connect(server.server_address());
    match in_time(move || server.serve_forever()) {
        Err(Error::Accept { source, .. }) => assert_eq!(source.kind(), ErrorKind::InvalidInput),
        other => panic!("the client was served: {other:?}"),
    }
}
