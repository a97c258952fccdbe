//! Clients that stretch the protocol: padding, input behind the end, slow reading, half a record.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::time::{Duration, Instant};

use rustls::crypto::cipher::{
    AeadKey, Iv, MessageDecrypter, MessageEncrypter, OutboundChunks, OutboundOpaqueMessage,
    OutboundPlainMessage, Tls13AeadAlgorithm, UnsupportedOperationError,
};
use rustls::pki_types::ServerName;
use rustls::{
    CipherSuiteCommon, ClientConfig, ClientConnection, ConnectionTrafficSecrets, ContentType,
    SupportedCipherSuite, Tls13CipherSuite,
};
use socket2::{Domain, Socket, Type};
use socketserver::{
    HandshakeError, Job, Phase, Rejected, Rejection, Request, Sequential, Server, Service,
    Strategy, ThreadPool, TlsRequest,
};

use super::handshakes::Echo;
use super::*;

/// Size of a record with the most padding that TLS allows, without its authentication tag.
const LONGEST: usize = 16 * 1024 + 1;

/// Encryption that pads the messages of the handshake.
struct Padding(&'static dyn Tls13AeadAlgorithm);

impl Tls13AeadAlgorithm for Padding {
    fn encrypter(&self, key: AeadKey, iv: Iv) -> Box<dyn MessageEncrypter> {
        Box::new(PaddingEncrypter(self.0.encrypter(key, iv)))
    }

    fn decrypter(&self, key: AeadKey, iv: Iv) -> Box<dyn MessageDecrypter> {
        self.0.decrypter(key, iv)
    }

    fn key_len(&self) -> usize {
        self.0.key_len()
    }

    fn extract_keys(
        &self,
        key: AeadKey,
        iv: Iv,
    ) -> std::result::Result<ConnectionTrafficSecrets, UnsupportedOperationError> {
        self.0.extract_keys(key, iv)
    }
}

struct PaddingEncrypter(Box<dyn MessageEncrypter>);

impl MessageEncrypter for PaddingEncrypter {
    fn encrypt(
        &mut self,
        message: OutboundPlainMessage<'_>,
        number: u64,
    ) -> std::result::Result<OutboundOpaqueMessage, rustls::Error> {
        if message.typ != ContentType::Handshake {
            return self.0.encrypt(message, number);
        }
        // The type follows the content, and zeros follow the type. The last of them is added as the type of this.
        let mut padded = message.payload.to_vec();
        padded.push(message.typ.into());
        padded.resize(LONGEST - 1, 0);
        let message = OutboundPlainMessage {
            typ: ContentType::Unknown(0),
            version: message.version,
            payload: OutboundChunks::Single(&padded),
        };
        self.0.encrypt(message, number)
    }

    fn encrypted_payload_len(&self, size: usize) -> usize {
        self.0.encrypted_payload_len(size.max(LONGEST))
    }
}

/// Returns the configuration of clients that pad the end of the handshake.
fn padding() -> Arc<ClientConfig> {
    let mut provider = rustls::crypto::ring::default_provider();
    let suites = provider.cipher_suites.iter();
    provider.cipher_suites = suites
        .filter_map(SupportedCipherSuite::tls13)
        .map(|suite| {
            let padded = Tls13CipherSuite {
                aead_alg: Box::leak(Box::new(Padding(suite.aead_alg))),
                common: CipherSuiteCommon {
                    suite: suite.common.suite,
                    hash_provider: suite.common.hash_provider,
                    confidentiality_limit: suite.common.confidentiality_limit,
                },
                ..*suite
            };
            SupportedCipherSuite::Tls13(Box::leak(Box::new(padded)))
        })
        .collect();
    Authority::new().config_by(provider, None)
}

/// A client that has the keys, and has not sent its last message of the handshake.
pub(super) fn begin(
    address: &SocketAddr,
    config: Arc<ClientConfig>,
) -> (TcpStream, ClientConnection) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(2048).unwrap();
    socket.connect(&(*address).into()).unwrap();
    let mut socket = TcpStream::from(socket);
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let mut client = ClientConnection::new(config, name).unwrap();
    while client.is_handshaking() {
        while client.wants_write() {
            client.write_tls(&mut socket).unwrap();
        }
        assert_ne!(client.read_tls(&mut socket).unwrap(), 0);
        client.process_new_packets().unwrap();
    }
    (socket, client)
}

/// Returns what the client has to send.
pub(super) fn output(client: &mut ClientConnection) -> Vec<u8> {
    let mut output = Vec::new();
    while client.wants_write() {
        client.write_tls(&mut output).unwrap();
    }
    output
}

/// The session takes only a part of what was received, because a long record is complete with it, and nothing of the
/// rest, because the record behind it ends the client's output.
fn input_behind_the_end_is_ignored<M: Strategy + Default>() {
    let server = serve::<_, M>(echo());
    let config = padding();
    let clients = [(); 3].map(|()| {
        let (mut socket, mut client) = begin(server.server_address(), Arc::clone(&config));
        client.send_close_notify();
        let mut burst = output(&mut client);
        assert!(burst.len() > LONGEST);
        burst.resize(burst.len() + 8192, 0);
        socket.write_all(&burst).unwrap();
        socket
    });
    assert_eq!(connect(server.server_address()).ask("hello\n"), "hello\n");
    for mut client in clients {
        let mut rest = Vec::new();
        match client.read_to_end(&mut rest) {
            Ok(_) => {}
            // Unread input resets the connection.
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::ConnectionReset),
        }
    }
    let report = in_time(move || server.stop()).unwrap();
    assert_eq!(report.abandoned.len(), 0, "{report}");
}

/// The client takes a little at a time, each in time.
fn a_write_timeout_is_that_of_the_whole_write<M: Strategy + Default>() {
    const TIMEOUT: Duration = Duration::from_millis(300);
    let (durations, took) = std::sync::mpsc::channel();
    let service = socketserver::handler_fn(move |request: &mut TlsRequest| {
        request.readline(10)?;
        let start = Instant::now();
        let error = request.send_all(vec![0; 1 << 20]).unwrap_err();
        durations.send((error.kind(), start.elapsed()))?;
        Ok(())
    });
    let options = options::<_, M>().write_timeout(TIMEOUT);
    let options =
        options.before_bind(|socket| socket2::SockRef::from(&socket).set_send_buffer_size(4096));
    let server = options.bind(own_loopback(), service).unwrap();
    let server = server.spawn().unwrap();
    // One of ten attempts has to be fast enough, because the machine may be busy.
    let attempt = || {
        let (mut socket, mut client) = begin(server.server_address(), Authority::known());
        client.writer().write_all(b"go\n").unwrap();
        socket.write_all(&output(&mut client)).unwrap();
        let mut buffer = [0; 512];
        while let Ok(1..) = socket.read(&mut buffer) {
            std::thread::sleep(Duration::from_millis(20));
        }
        let (kind, took) = next(&took);
        assert_eq!(kind, io::ErrorKind::TimedOut);
        took
    };
    let mut attempts = std::iter::repeat_with(attempt).take(10);
    assert!(attempts.any(|took| took < 3 * TIMEOUT));
}

/// A client that is in the middle of a message when the stop begins has the grace period, although no byte of the
/// message can be decrypted yet.
#[cfg(target_os = "linux")]
fn a_stop_waits_for_the_rest_of_a_record<M: Strategy + Default>() {
    let (sockets, accepted) = std::sync::mpsc::channel();
    let service = Hooks::new(move |request: &mut TlsRequest| {
        sockets.send(request.socket().get_ref().try_clone()?)?;
        while request.wait_for_message()? {
            let line = request.readline(100)?;
            request.send_all(line)?;
        }
        Ok(())
    });
    let server = serve::<_, M>(service);
    let (mut socket, mut client) = begin(server.server_address(), Authority::known());
    socket.write_all(&output(&mut client)).unwrap();
    let own = next(&accepted);
    client.writer().write_all(b"hello\n").unwrap();
    let message = output(&mut client);
    socket.write_all(&message[..10]).unwrap();
    eventually("the server has half of the record", || {
        is_sent(&socket) && rustix::io::ioctl_fionread(&own).unwrap() == 0
    });
    drop(own);
    let handle = server.handle();
    let stopping = std::thread::spawn(move || server.stop().unwrap());
    eventually("the stop has begun", || handle.phase() == Phase::Draining);
    socket.write_all(&message[10..]).unwrap();
    let mut answer = [0; 6];
    let mut stream = rustls::Stream::new(&mut client, &mut socket);
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"hello\n");
    let report = in_time(move || stopping.join().unwrap());
    assert_eq!(
        (report.completed, report.force_closed.len()),
        (1, 0),
        "{report}"
    );
}

/// Returns whether the receiver's system has all that was sent.
#[cfg(target_os = "linux")]
fn is_sent(socket: &TcpStream) -> bool {
    let port = format!(":{:04X}", socket.local_addr().unwrap().port());
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    table.lines().any(|line| {
        let words: Vec<_> = line.split_whitespace().collect();
        words[1].ends_with(&port) && words[4].starts_with("00000000:")
    })
}

/// Neither a client in its handshake nor one that waits for a place after it.
fn a_stop_as_python_does_not_wait_for_handshakes<M: Strategy + Default>() {
    let options = options::<_, M>().handshake_timeout(None);
    let server = options.bind(own_loopback(), echo()).unwrap();
    let server = server.stop_as_python().block_on_close(false);
    let server = server.spawn().unwrap();
    let handle = server.handle();
    let half = half_hello(server.server_address());
    wait_for_handshake(&handle);
    in_time(move || server.stop()).unwrap();
    drop(half);
}

by_strategy!(
    input_behind_the_end_is_ignored,
    a_write_timeout_is_that_of_the_whole_write,
    a_stop_as_python_does_not_wait_for_handshakes,
);
#[cfg(target_os = "linux")]
by_strategy!(a_stop_waits_for_the_rest_of_a_record);

fn count_queued(handle: &ServerHandle) -> usize {
    let requests = handle.requests();
    let queued = requests
        .iter()
        .filter(|one| one.activity() == Activity::Queued);
    queued.count()
}

#[test]
fn a_stop_as_python_does_not_wait_for_a_place() {
    let server = options::<_, Sequential>()
        .bind(own_loopback(), echo())
        .unwrap();
    let server = server.strategy(ThreadPool::new(1));
    let server = server
        .stop_as_python()
        .block_on_close(false)
        .spawn()
        .unwrap();
    let handle = server.handle();
    let mut clients = [(); 6].map(|()| begin(server.server_address(), Authority::known()));
    let ask = |socket: &mut TcpStream, client: &mut ClientConnection| {
        client.writer().write_all(b"hello\n").unwrap();
        let mut answer = [0; 6];
        rustls::Stream::new(client, socket)
            .read_exact(&mut answer)
            .unwrap();
        assert_eq!(&answer, b"hello\n");
    };
    let [(served, keys), waiting @ ..] = &mut clients;
    ask(served, keys);
    for (socket, client) in waiting.iter_mut() {
        socket.write_all(&output(client)).unwrap();
    }
    eventually("their handshakes are complete", || {
        count_queued(&handle) == waiting.len()
    });
    in_time(move || server.stop()).unwrap();
    ask(served, keys);
    drop(clients);
    eventually("all have ended", || handle.stats().active == 0);
}

/// Connections that have completed their handshake have no handler that could be abandoned.
#[test]
fn an_abandoned_handler_is_the_only_one() {
    let gate = Gate::default();
    let service = socketserver::handler_fn({
        let gate = gate.clone();
        move |request: &mut TlsRequest| {
            request.send_all("ready\n")?;
            gate.pass();
            Ok(())
        }
    });
    let server = options::<_, Sequential>()
        .bind(own_loopback(), service)
        .unwrap();
    let server = server
        .grace_period(Duration::from_millis(20))
        .spawn()
        .unwrap();
    let handle = server.handle();
    let [(mut first, mut first_keys), (mut second, mut second_keys)] =
        [(); 2].map(|()| begin(server.server_address(), Authority::known()));
    first.write_all(&output(&mut first_keys)).unwrap();
    let mut ready = [0; 6];
    let mut stream = rustls::Stream::new(&mut first_keys, &mut first);
    stream.read_exact(&mut ready).unwrap();
    second.write_all(&output(&mut second_keys)).unwrap();
    eventually("its handshake is complete", || count_queued(&handle) == 1);
    let report = in_time(move || server.stop()).unwrap();
    assert_eq!(
        (report.abandoned.len(), report.force_closed.len()),
        (1, 1),
        "{report}"
    );
    gate.open();
    eventually("the handler ends", || handle.stats().active == 0);
}

/// Waits for the end of all requests in the hook, of which its own is one.
struct Waiting;

impl Service<TlsRequest> for Waiting {
    type Handler = Echo;

    fn request_handler(self: &Arc<Self>) -> Echo {
        Echo
    }

    fn handshake_error(&self, request: &TlsRequest, _: &HandshakeError) {
        assert!(!request.server().wait_until_idle(PATIENCE));
    }
}

fn a_hook_that_waits_for_itself_does_not_wait<M: Strategy + Default>() {
    let server = serve::<_, M>(Waiting);
    let gone = silent(server.server_address());
    gone.shutdown(Shutdown::Both).unwrap();
    let start = Instant::now();
    let handle = server.handle();
    eventually("the handshake has failed", || handle.stats().rejected == 1);
    assert!(start.elapsed() < PATIENCE);
    assert_eq!(connect(server.server_address()).ask("hello\n"), "hello\n");
}

by_strategy!(a_hook_that_waits_for_itself_does_not_wait);

/// Rejects each request with a message.
struct Rejecting(usize);

impl Strategy for Rejecting {
    fn process_request(&self, job: Job) -> std::result::Result<(), Rejected> {
        let message = Rejection::message(vec![b'm'; self.0]);
        Err(job.reject(None).respond_with(message))
    }
}

/// A message that does not fit into the buffers is cut, and the client learns that.
#[test]
fn a_rejection_message_is_whole_or_known_to_be_cut() {
    for (size, is_whole) in [(10, true), (50_000, true), (64 << 20, false)] {
        let server = Server::<Tls<Tcp>, _, Sequential>::options()
            .tls(config())
            .bind(own_loopback(), echo())
            .unwrap();
        let server = server.strategy(Rejecting(size)).spawn().unwrap();
        let mut client = connect(server.server_address());
        let mut received = Vec::new();
        let end = client.rest_into(&mut received);
        assert_eq!(end.is_ok(), is_whole, "{size}: {end:?}");
        assert_eq!(received.len() == size, is_whole, "{size}");
    }
}
