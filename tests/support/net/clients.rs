//! Clients, for every transport.

use super::*;

/// A client's socket, of any transport. Every read and write ends within [`PATIENCE`].
#[derive(Debug)]
pub(crate) struct Client(Socket);

impl Client {
    pub(crate) fn new(socket: impl Into<OwnedFd>) -> Self {
        let socket = Socket::from(socket.into());
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.set_write_timeout(Some(PATIENCE)).unwrap();
        if cfg!(not(target_os = "linux")) && socket.r#type().unwrap() == Type::DGRAM {
            // By default, macOS sends datagrams of 9,216 bytes at most.
            let _ = socket.set_send_buffer_size(1 << 17);
        }
        Self(socket)
    }

    pub(crate) fn socket(&self) -> SockRef<'_> {
        SockRef::from(&self.0)
    }

    #[track_caller]
    pub(crate) fn send(&self, data: impl AsRef<[u8]>) {
        self.try_send(data).unwrap();
    }

    pub(crate) fn try_send(&self, data: impl AsRef<[u8]>) -> io::Result<()> {
        let data = data.as_ref();
        if data.is_empty() {
            return self.0.send(data).map(drop);
        }
        (&self.0).write_all(data)
    }

    /// Calls `recv` once: receives a datagram, or the available bytes of a stream.
    pub(crate) fn try_receive(&self) -> io::Result<Vec<u8>> {
        let mut buffer = vec![0; 1 << 18];
        let size = loop {
            match (&self.0).read(&mut buffer) {
                // Ignored signals, too, interrupt a read with a timeout: for example the SIGCHLD of a child process
                // that ends while another thread starts one.
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                size => break size?,
            }
        };
        buffer.truncate(size);
        Ok(buffer)
    }

    /// Calls `recv` once without waiting. `None` if nothing has arrived.
    pub(crate) fn try_receive_now(&self) -> io::Result<Option<Vec<u8>>> {
        let mut buffer = vec![0; 1 << 16];
        self.0.set_nonblocking(true)?;
        let received = loop {
            match (&self.0).read(&mut buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                received => break received,
            }
        };
        self.0.set_nonblocking(false)?;
        match received {
            Ok(size) => Ok(Some(buffer[..size].to_vec())),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }

    #[track_caller]
    pub(crate) fn receive(&self) -> Vec<u8> {
        self.try_receive().unwrap()
    }

    /// Reads exactly `size` bytes of a stream.
    #[track_caller]
    pub(crate) fn exactly(&self, size: usize) -> Vec<u8> {
        let mut data = vec![0; size];
        (&self.0).read_exact(&mut data).unwrap();
        data
    }

    /// Reads one line, with its `\n`. No data may have arrived behind the line; this holds where requests and answers
    /// alternate.
    #[track_caller]
    pub(crate) fn line(&self) -> String {
        let mut line = Vec::new();
        while !line.ends_with(b"\n") {
            let data = self.receive();
            assert!(!data.is_empty(), "the stream ended within a line");
            line.extend(data);
        }
        String::from_utf8(line).unwrap()
    }

    #[track_caller]
    pub(crate) fn ask(&self, question: &str) -> String {
        self.send(question);
        self.line()
    }

    /// Reads to the end of the stream, which must not be a reset.
    #[track_caller]
    pub(crate) fn rest(&self) -> Vec<u8> {
        let mut data = Vec::new();
        (&self.0).read_to_end(&mut data).unwrap();
        data
    }

    #[track_caller]
    pub(crate) fn expect_end(&self) {
        assert_eq!(
            self.rest(),
            b"",
            "data arrived instead of the end of the stream"
        );
    }

    /// Shuts down the sending side. The client can still receive.
    pub(crate) fn finish(&self) {
        self.0.shutdown(Shutdown::Write).unwrap();
    }
}
