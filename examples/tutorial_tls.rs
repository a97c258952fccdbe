//! The server that greets, over TLS (`docs/tutorial`). It uses nothing from `examples/common`, so it works in any
//! project.
//!
//! Make a certificate:
//!
//! ```text
//! $ openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj /CN=localhost \
//!     -addext subjectAltName=DNS:localhost,IP:127.0.0.1 \
//!     -addext basicConstraints=critical,CA:FALSE -keyout key.pem -out cert.pem
//! ```
//!
//! Start the server in the same directory:
//!
//! ```text
//! $ cargo run -q --features tls --example tutorial_tls
//! listening on 127.0.0.1:6969
//! ```
//!
//! Start the client in another terminal, there too:
//!
//! ```text
//! $ cargo run -q --features tls --example tutorial_tls_client Ada
//! hello, Ada, over TLSv1.3
//! ```
//!
//! Arguments replace the address `localhost:6969` and the files `cert.pem` and `key.pem`. Python twin:
//! `examples/python/tutorial_tls.py`.

use socketserver::prelude::*;
use socketserver::tls::TlsConfig;

struct Greeting;

impl RequestHandler<TlsRequest> for Greeting {
    fn handle(&mut self, request: &mut TlsRequest) -> Result {
        let line = request.readline(1000)?;
        let name = String::from_utf8_lossy(&line);
        let info = request.connection_info();
        let version = info.tls().map_or("no TLS", |tls| tls.version());
        writeln!(request, "hello, {}, over {version}", name.trim())?;
        Ok(())
    }
}

fn main() -> Result {
    let mut arguments = std::env::args().skip(1);
    let mut next = |default: &str| arguments.next().unwrap_or(default.into());
    let address = next("localhost:6969");
    let tls = TlsConfig::from_pem_files(next("cert.pem"), next("key.pem"))?;
    let options = ThreadingTlsServer::options().tls(tls);
    let server = options.bind(address, || Greeting)?;
    server.shutdown_on_ctrl_c()?;
    println!("listening on {}", server.server_address());
    server.serve_forever()?;
    Ok(())
}
