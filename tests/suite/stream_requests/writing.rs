//! Writing.

use super::*;

#[cfg(unix)]
#[test]
#[ignore = "is run in a process of its own, by `a_client_that_left_raises_no_sigpipe`"]
fn the_process_that_a_sigpipe_would_end() {
    if !is_alone(test_name!("the_process_that_a_sigpipe_would_end")) {
        return;
    }
    // SAFETY: the default runs no code in signal context.
    unsafe { signal(Signal::SIGPIPE, SigHandler::SigDfl) }.unwrap();
    writing_to_a_client_that_left_is_a_disconnect::<Tcp>();
    writing_to_a_client_that_left_is_a_disconnect::<UnixStream>();
    println!("not ended by SIGPIPE");
}

/// Rust programs ignore SIGPIPE, as Python does. A program in another language that uses this library may not.
#[cfg(unix)]
#[test]
fn a_client_that_left_raises_no_sigpipe() {
    let finished = run(test_name!("the_process_that_a_sigpipe_would_end"));
    assert!(finished.success().contains("not ended by SIGPIPE"));
}

fn megabytes_go_both_ways_at_the_same_time<T: Connected>() {
    let host = host::<T, Threading, _>(Hooks::new(|request: &mut T::Request| {
        let mut chunk = vec![0; 30_000];
        loop {
            let size = request.read(&mut chunk)?;
            if size == 0 {
                return Ok(());
            }
            request.send_all(&chunk[..size])?;
        }
    }));
    let sent = noise(8 << 20);
    let client = host.client();
    let received = thread::scope(|scope| {
        scope.spawn(|| {
            client.send(&sent);
            client.finish();
        });
        client.rest()
    });
    assert!(received == sent, "{} bytes came back", received.len());
}

fn megabytes_arrive_by_read_exactly_and_leave_in_one_write<T: Connected>() {
    const SIZE: usize = 5 << 20;
    let host = host::<T, Threading, _>(Hooks::new(|request: &mut T::Request| {
        let data = request.read_exactly(SIZE)?;
        assert_eq!(request.write(&data)?, SIZE, "a write was partial");
        Ok(())
    }));
    let sent = noise(SIZE);
    let client = host.client();
    client.send(&sent);
    assert!(client.rest() == sent);
}

/// Counts the calls that a real socket would pass to the kernel.
#[derive(Default)]
struct Recorder {
    sends: Arc<AtomicUsize>,
}

impl StreamSocket for Recorder {
    type Address = SocketAddr;

    fn recv(&self, _: &mut [u8]) -> io::Result<usize> {
        Ok(0)
    }

    fn send(&self, data: &[u8]) -> io::Result<usize> {
        self.sends.fetch_add(1, Ordering::SeqCst);
        Ok(data.len())
    }

    fn try_send(&self, data: &[u8]) -> io::Result<usize> {
        self.send(data)
    }

    fn shutdown(&self, _: Shutdown) -> io::Result<()> {
        Ok(())
    }

    fn set_timeout(&self, _: Option<Duration>) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn formatted_output_is_sent_in_one_piece() {
    let server = TcpServer::bind(LOOPBACK, || LineEcho).unwrap();
    let recorder = Recorder::default();
    let sends = Arc::clone(&recorder.sends);
    let mut request = StreamRequest::new(recorder, *server.server_address(), &server.handle());
    let sent_by = |write: &mut dyn FnMut(&mut StreamRequest<Recorder>) -> io::Result<()>,
                   request: &mut StreamRequest<Recorder>| {
        let before = sends.load(Ordering::SeqCst);
        write(request).unwrap();
        sends.load(Ordering::SeqCst) - before
    };
    let (one, two) = (1, "2");
    assert_eq!(
        sent_by(
            &mut |to| write!(to, "{one}, {two}, {:?}", [3, 4]),
            &mut request
        ),
        1
    );
    assert_eq!(sent_by(&mut |to| writeln!(to, "plain"), &mut request), 1);
    assert_eq!(
        sent_by(&mut |to| to.send_all([0; 1 << 20]), &mut request),
        1
    );
    assert_eq!(
        sent_by(&mut |to| write!(to.sender(), "{one}, {two}"), &mut request),
        1
    );
    assert_eq!(
        sent_by(&mut |to| write!(to.split().1, "{one}, {two}"), &mut request),
        1
    );
}

#[test]
fn a_socket_without_a_local_address_reports_that() {
    let server = TcpServer::bind(LOOPBACK, || LineEcho).unwrap();
    let client = *server.server_address();
    let request = StreamRequest::new(Recorder::default(), client, &server.handle());
    let error = request.local_address().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}

fn the_halves_work_on_two_threads_at_once<T: Connected>() {
    // The handler's reader waits for the client, and the client waits for the handler's writer. If the halves
    // excluded each other, the test would not end.
    let received = one_conversation::<T, _>(
        |request| {
            let (reader, writer) = request.split();
            thread::scope(|scope| {
                let reader = scope.spawn(move || {
                    let mut line = String::new();
                    reader.read_line(&mut line).map(|_| line)
                });
                let wrote = writeln!(writer, "speak");
                (reader.join().unwrap().unwrap(), wrote.is_ok())
            })
        },
        |client| {
            assert_eq!(client.line(), "speak\n");
            client.send("spoken\n");
            client.expect_end();
        },
    );
    assert_eq!(received, ("spoken\n".into(), true));
}

fn a_relay_passes_on_both_directions<T: Connected>() {
    let target = host::<T, Threading, _>(Hooks::<T::Request>::echo());
    let address = target.server.server_address().clone();
    let relay = host::<T, Threading, _>(Hooks::new(move |request: &mut T::Request| {
        let target = T::connect(&address);
        let (reader, writer) = request.split();
        thread::scope(|scope| {
            scope.spawn(|| {
                let copied = io::copy(reader, &mut &*target.socket());
                target.finish();
                copied
            });
            io::copy(&mut &*target.socket(), writer)
        })?;
        Ok(())
    }));
    let sent = noise(1 << 20);
    let client = relay.client();
    let received = thread::scope(|scope| {
        scope.spawn(|| {
            client.send(&sent);
            client.finish();
        });
        client.rest()
    });
    assert!(received == sent, "{} bytes came back", received.len());
}

over_streams!(
    megabytes_go_both_ways_at_the_same_time,
    megabytes_arrive_by_read_exactly_and_leave_in_one_write,
    the_halves_work_on_two_threads_at_once,
    a_relay_passes_on_both_directions,
);
