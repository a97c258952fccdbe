//! SocketWriterTest.

use super::*;

#[test]
fn test_basics() {
    fn is_writer(_: &mut impl Write) {}

    let (report, basics) = mpsc::channel();
    let service = Hooks::new(move |request: &mut TcpRequest| {
        is_writer(request);
        let (_reader, writer) = request.split();
        is_writer(writer);
        writer.write_all(b"hello\n")?;
        #[cfg(target_os = "linux")]
        let descriptors = SocketId::of(request.socket()).descriptors();
        #[cfg(not(target_os = "linux"))]
        let descriptors = 1;
        let _ = report.send((request.socket().peer_addr()?, descriptors));
        Ok(())
    });
    let server = TcpServer::bind(LOOPBACK, service).unwrap();
    let client = Tcp::connect(server.server_address());
    let address = client.socket().local_addr().unwrap().as_socket();
    server.handle_request().unwrap();
    // The writer uses the socket of the request, and the process has no other descriptor of it.
    assert_eq!(client.rest(), b"hello\n");
    assert_eq!(next(&basics), (address.unwrap(), 1));
}

/// Number of signals that `test_write` has received.
static SIGNALS: AtomicUsize = AtomicUsize::new(0);

#[cfg(unix)]
#[allow(unsafe_code, reason = "no safe function interrupts a system call")]
mod signals {
    use super::*;

    /// Counts each SIGUSR1, without SA_RESTART, so that the interrupted call fails with EINTR.
    pub(super) fn count() {
        extern "C" fn count(_: libc::c_int) {
            SIGNALS.fetch_add(1, Ordering::SeqCst);
        }
        let action = SigAction::new(
            SigHandler::Handler(count),
            SaFlags::empty(),
            SigSet::empty(),
        );
        // SAFETY: the handler does nothing but add to an atomic, which is safe in signal context.
        unsafe { sigaction(Signal::SIGUSR1, &action) }.unwrap();
    }

    /// Runs `work` while another thread interrupts it continuously, from the moment that `started` is set.
    pub(super) fn interrupt_continuously<R>(started: &AtomicBool, work: impl FnOnce() -> R) -> R {
        // SAFETY: the call has no preconditions.
        let target = unsafe { libc::pthread_self() } as usize; // a pointer on some systems, which threads cannot share
        let is_done = AtomicBool::new(false);
        thread::scope(|scope| {
            let _done = SetOnDrop(&is_done);
            scope.spawn(|| {
                while !is_done.load(Ordering::SeqCst) {
                    if started.load(Ordering::SeqCst) {
                        // SAFETY: the target thread exists, because it waits for the end of this one.
                        unsafe { libc::pthread_kill(target as libc::pthread_t, libc::SIGUSR1) };
                    }
                    thread::yield_now();
                }
            });
            work()
        })
    }
}

/// Sets a flag at the end of a scope, also if a panic ends it.
struct SetOnDrop<'a>(&'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// A write sends all its data at once, even if signals interrupt it.
#[cfg(unix)]
#[test]
fn test_write() {
    /// CPython's `SOCK_MAX_SIZE`: more than the system buffers.
    const BIG: usize = 16 * 1024 * 1024 + 1;
    const INTERRUPTIONS: usize = 100;

    let (report, written) = mpsc::channel();
    let service = Hooks::new(move |request: &mut TcpRequest| {
        let first = request.write(b"write data\n")?;
        let answer = request.readline(100)?;
        let second = request.write(&vec![0; BIG])?;
        let _ = report.send((first, answer, second));
        Ok(())
    });
    let server = TcpServer::bind(LOOPBACK, service).unwrap();
    let server = server.handle_request_timeout(PATIENCE);
    let address = *server.server_address();
    signals::count();
    let start_signals = AtomicBool::new(false);
    let received = thread::scope(|scope| {
        let client = scope.spawn(|| {
            let client = Tcp::connect(&address);
            assert_eq!(client.line(), "write data\n");
            client.send("client response\n");
            client.exactly(100);
            // The handler waits in its second write now, because the client does not read.
            start_signals.store(true, Ordering::SeqCst);
            eventually("signals interrupt the write repeatedly", || {
                SIGNALS.load(Ordering::SeqCst) > INTERRUPTIONS
            });
            client.rest().len()
        });
        let handled = signals::interrupt_continuously(&start_signals, || server.handle_request());
        assert_eq!(handled.unwrap(), Handled::Request);
        client.join().unwrap()
    });
    let (first, answer, second) = next(&written);
    assert_eq!(first, b"write data\n".len());
    assert_eq!(answer, b"client response\n");
    assert_eq!((second, received), (BIG, BIG - 100));
}
