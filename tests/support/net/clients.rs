//! The client's side of any transport.

use super::*;

/// A client's socket, of any transport. Every read and write is bounded by [`PATIENCE`].
#[derive(Debug)]
pub(crate) struct Client(Socket);

impl Client {
    pub(crate) fn new(socket: impl Into<OwnedFd>) -> Self {
        let socket = Socket::from(socket.into());
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        socket.set_write_timeout(Some(PATIENCE)).unwrap();
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

    /// One `recv`: a datagram, or what is there of a stream.
    pub(crate) fn try_receive(&self) -> io::Result<Vec<u8>> {
        let mut buffer = vec![0; 1 << 18];
        let size = loop {
            match (&self.0).read(&mut buffer) {
                // A socket with a timeout is also interrupted by signals that are ignored: by the
                // SIGCHLD of a child that ends while another thread starts one.
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                size => break size?,
            }
        };
        buffer.truncate(size);
        Ok(buffer)
    }

    /// The same without waiting; `None` if nothing is there.
    pub(crate) fn try_receive_now(&self) -> io::Result<Option<Vec<u8>>> {
        let mut buffer = vec![0; 1 << 16];
        loop {
            match recv(&self.0, &mut buffer[..], RecvFlags::DONTWAIT) {
                Ok((size, _)) => return Ok(Some(buffer[..size].to_vec())),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Ok(None),
                Err(error) => return Err(error.into()),
            }
        }
    }

    #[track_caller]
    pub(crate) fn receive(&self) -> Vec<u8> {
        self.try_receive().unwrap()
    }

    /// As many bytes of a stream.
    #[track_caller]
    pub(crate) fn exactly(&self, size: usize) -> Vec<u8> {
        let mut data = vec![0; size];
        (&self.0).read_exact(&mut data).unwrap();
        data
    }

    /// What comes up to and with the next `\n`, which must end what is there, as it does where
    /// question and answer alternate.
    #[track_caller]
    pub(crate) fn line(&self) -> String {
        let mut line = Vec::new();
        while !line.ends_with(b"\n") {
            let data = self.receive();
            assert!(!data.is_empty(), "the end came before the line's");
            line.extend(data);
        }
        String::from_utf8(line).unwrap()
    }

    #[track_caller]
    pub(crate) fn ask(&self, question: &str) -> String {
        self.send(question);
        self.line()
    }

    /// Everything up to the end of a stream, which must be an orderly one.
    #[track_caller]
    pub(crate) fn rest(&self) -> Vec<u8> {
        let mut data = Vec::new();
        (&self.0).read_to_end(&mut data).unwrap();
        data
    }

    #[track_caller]
    pub(crate) fn expect_end(&self) {
        assert_eq!(self.rest(), b"", "more came where the end should be");
    }

    /// Sends no more; can still receive.
    pub(crate) fn finish(&self) {
        self.0.shutdown(Shutdown::Write).unwrap();
    }
}
