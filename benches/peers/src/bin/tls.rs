//! Measures TLS servers side by side: this crate, a thread for each connection with rustls, and tokio-rustls.
//!
//! - `handshakes`: connect, full handshake (TLS 1.3, no resumption), echo of 64 bytes, close; 8 clients at a time.
//! - `messages`: echo of 64 bytes on 16 open connections.
//! - `large`: echo of 100 KiB on 8 open connections.
//!
//! All servers of a workload run in every round, one after the other; the result is the ratio to
//! `rustls-threads` within a round, and the median of these.
//!
//! ```console
//! $ cargo run --release --bin tls -- --rounds 7 --seconds 2
//! ```

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use clap::Parser;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, StreamOwned,
};
use socketserver::prelude::*;
use socketserver::tls::TlsConfig;

type Error = Box<dyn std::error::Error + Send + Sync>;

/// Certificates of the tests of the crate.
const CERTIFICATES: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../tests/support/certificates/"
);

const SERVERS: [&str; 5] = [
    "rustls-threads",
    "threading",
    "thread-pool",
    "coroutines",
    "tokio-rustls",
];

/// TLS servers side by side
#[derive(Parser)]
struct Options {
    /// Workloads: handshakes, messages, large
    workloads: Vec<String>,
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// Serves as one of the servers, until standard input ends
    #[arg(long, hide = true)]
    serve: Option<String>,
}

fn main() -> Result<(), Error> {
    let options = Options::parse();
    if let Some(server) = &options.serve {
        return serve(server);
    }
    let all = ["handshakes", "messages", "large"].map(String::from);
    let workloads = if options.workloads.is_empty() {
        &all[..]
    } else {
        &options.workloads
    };
    for workload in workloads {
        let mut rates = vec![Vec::new(); SERVERS.len()];
        for _ in 0..options.rounds {
            for (rates, server) in rates.iter_mut().zip(SERVERS) {
                let running = Running::start(server)?;
                rates.push(measure(workload, running.address, options.seconds)?);
            }
        }
        println!("\n| {workload} | per second | ratio |\n| --- | --: | --: |");
        for (index, server) in SERVERS.iter().enumerate() {
            let ratios = rates[index]
                .iter()
                .zip(&rates[0])
                .map(|(rate, reference)| rate / reference);
            println!(
                "| {server} | {:.0} | {:.2} |",
                median(rates[index].clone()),
                median(ratios.collect())
            );
        }
    }
    Ok(())
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// A server in a process of its own. Ends when it is dropped.
struct Running {
    address: SocketAddr,
    child: Child,
}

impl Running {
    fn start(server: &str) -> Result<Self, Error> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["--serve", server])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut().ok_or("no output")?).read_line(&mut line)?;
        let address = line.trim().parse()?;
        Ok(Self { address, child })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

// ---- servers ----

fn file(name: &str) -> String {
    format!("{CERTIFICATES}{name}")
}

fn server_config() -> Result<Arc<ServerConfig>, Error> {
    let chain = CertificateDer::from_pem_file(file("server.pem"))?;
    let key = PrivateKeyDer::from_pem_file(file("server.key"))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![chain], key)?;
    config.ticketer = rustls::crypto::ring::Ticketer::new()?;
    Ok(Arc::new(config))
}

fn echo(request: &mut TlsRequest) -> Result<(), Error> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match request.read(&mut buffer)? {
            0 => return Ok(()),
            size => request.send_all(&buffer[..size])?,
        }
    }
}

fn serve(server: &str) -> Result<(), Error> {
    let tls = || TlsConfig::from_rustls(server_config().expect("the certificates exist"));
    let bound = |address: &SocketAddr| println!("{address}");
    match server {
        "threading" => {
            let server = ThreadingTlsServer::options()
                .tls(tls())
                .bind("127.0.0.1:0", handler_fn(echo))?;
            bound(server.server_address());
            server.serve_forever()?;
        }
        "thread-pool" => {
            let server = ThreadPoolTlsServer::options()
                .tls(tls())
                .bind("127.0.0.1:0", handler_fn(echo))?;
            let server = server.strategy(ThreadPool::new(16));
            bound(server.server_address());
            server.serve_forever()?;
        }
        "coroutines" => {
            let server = CoroutineTlsServer::options()
                .tls(tls())
                .bind("127.0.0.1:0", handler_fn(echo))?;
            bound(server.server_address());
            server.serve_forever()?;
        }
        "rustls-threads" => serve_with_threads(bound)?,
        "tokio-rustls" => serve_with_tokio(bound)?,
        _ => return Err("no such server".into()),
    }
    Ok(())
}

/// The loop that is written by hand: a thread for each connection, and the stream of rustls.
fn serve_with_threads(bound: impl Fn(&SocketAddr)) -> Result<(), Error> {
    let config = server_config()?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    bound(&listener.local_addr()?);
    for socket in listener.incoming() {
        let (socket, config) = (socket?, Arc::clone(&config));
        thread::spawn(move || -> Result<(), Error> {
            socket.set_nodelay(true)?;
            let mut stream = StreamOwned::new(ServerConnection::new(config)?, socket);
            let mut buffer = vec![0; 64 * 1024];
            loop {
                match stream.read(&mut buffer)? {
                    0 => break,
                    size => stream.write_all(&buffer[..size])?,
                }
            }
            stream.conn.send_close_notify();
            stream.conn.complete_io(&mut stream.sock)?;
            Ok(())
        });
    }
    Ok(())
}

fn serve_with_tokio(bound: impl Fn(&SocketAddr)) -> Result<(), Error> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let acceptor = tokio_rustls::TlsAcceptor::from(server_config()?);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        bound(&listener.local_addr()?);
        loop {
            let (socket, _) = listener.accept().await?;
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                socket.set_nodelay(true)?;
                let mut stream = acceptor.accept(socket).await?;
                let mut buffer = vec![0; 64 * 1024];
                loop {
                    match stream.read(&mut buffer).await? {
                        0 => break,
                        size => {
                            stream.write_all(&buffer[..size]).await?;
                            stream.flush().await?;
                        }
                    }
                }
                stream.shutdown().await
            });
        }
    })
}

// ---- load ----

struct Client(StreamOwned<ClientConnection, TcpStream>);

impl Client {
    fn connect(address: SocketAddr, config: &Arc<ClientConfig>) -> Result<Self, Error> {
        let socket = TcpStream::connect(address)?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(Duration::from_secs(20)))?;
        let name = ServerName::try_from("localhost")?;
        let connection = ClientConnection::new(Arc::clone(config), name)?;
        Ok(Self(StreamOwned::new(connection, socket)))
    }

    fn exchange(&mut self, message: &[u8], buffer: &mut [u8]) -> io::Result<()> {
        self.0.write_all(message)?;
        self.0.read_exact(buffer)?;
        match buffer == message {
            true => Ok(()),
            false => Err(io::Error::other("the answer is wrong")),
        }
    }
}

fn client_config() -> Result<Arc<ClientConfig>, Error> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(file("authority.pem"))?)?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.resumption = rustls::client::Resumption::disabled();
    Ok(Arc::new(config))
}

/// Returns the number of operations per second.
fn measure(workload: &str, address: SocketAddr, seconds: f64) -> Result<f64, Error> {
    let (clients, size, reconnects) = match workload {
        "handshakes" => (8, 64, true),
        "messages" => (16, 64, false),
        "large" => (8, 100 * 1024, false),
        _ => return Err("no such workload: handshakes, messages, large".into()),
    };
    let config = client_config()?;
    let (operations, is_over) = (AtomicU64::new(0), AtomicBool::new(false));
    let elapsed = thread::scope(|scope| -> Result<Duration, Error> {
        let load = || -> Result<(), Error> {
            let message: Vec<u8> = (0..size).map(|n| n as u8).collect();
            let mut buffer = vec![0; size];
            let mut client = Client::connect(address, &config)?;
            while !is_over.load(Ordering::Relaxed) {
                client.exchange(&message, &mut buffer)?;
                operations.fetch_add(1, Ordering::Relaxed);
                if reconnects {
                    client = Client::connect(address, &config)?;
                }
            }
            Ok(())
        };
        let threads: Vec<_> = (0..clients).map(|_| scope.spawn(load)).collect();
        thread::sleep(Duration::from_secs_f64(seconds / 4.0)); // until all run at their pace
        operations.store(0, Ordering::Relaxed);
        let start = Instant::now();
        thread::sleep(Duration::from_secs_f64(seconds));
        let elapsed = start.elapsed();
        let counted = operations.load(Ordering::Relaxed);
        is_over.store(true, Ordering::Relaxed);
        for thread in threads {
            thread.join().map_err(|_| "a client panicked")??;
        }
        operations.store(counted, Ordering::Relaxed);
        Ok(elapsed)
    })?;
    Ok(operations.load(Ordering::Relaxed) as f64 / elapsed.as_secs_f64())
}
