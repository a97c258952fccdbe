//! The times of a connection: for each read and write, for the first byte, for the next question, for the
//! whole request.
//!
//! What has to run out is short here, and what must not is longer than the test may take: then it is only
//! the order that counts. A pause is a client that takes its time, three times what is allowed elsewhere.

use std::io::{self, BufRead, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::net::*;
use socket2::SockRef;
use socketserver::request::StreamSocket;
use socketserver::strategy::RequestKind;
use socketserver::transport::{Bind, Deadlines, SocketOptions, Tcp, UnixStream};
use socketserver::{
    Coroutines, Error, Request, Result, Sequential, Server, ServerHandle, ServerOptions, Service,
    Stats, Strategy, StreamRequest, ThreadPool, Threading, TimeoutKind, Timeouts, Transport,
};

/// The kernel counts in ticks, of which the first may be over already.
const SOON: Duration = Duration::from_millis(60);
/// Of a client that takes its time.
const PAUSE: Duration = Duration::from_millis(180);
/// Longer than any test.
const LONG: Duration = Duration::from_secs(60);

type Options<T, S, M> = ServerOptions<T, S, M>;

/// The transports that have these options.
trait Timed: Connected {
    fn with_time<S, M>(
        options: Options<Self, S, M>,
        kind: TimeoutKind,
        time: Option<Duration>,
    ) -> Options<Self, S, M>;
}

fn with_time<T: Timed, S, M>(
    options: Options<T, S, M>,
    kind: TimeoutKind,
    time: impl Into<Option<Duration>>,
) -> Options<T, S, M> {
    T::with_time(options, kind, time.into())
}

/// Sets all of them.
fn with_all<T: Timed, S, M>(
    options: Options<T, S, M>,
    time: impl Into<Option<Duration>>,
) -> Options<T, S, M> {
    let time = time.into();
    KINDS.iter().fold(options, |options, (kind, _)| {
        with_time(options, *kind, time)
    })
}

macro_rules! timed {
    ($($transport:ty),*) => {
        $(impl Timed for $transport {
            fn with_time<S, M>(
                options: Options<Self, S, M>,
                kind: TimeoutKind,
                time: Option<Duration>,
            ) -> Options<Self, S, M> {
                match kind {
                    TimeoutKind::Read => options.read_timeout(time),
                    TimeoutKind::Write => options.write_timeout(time),
                    TimeoutKind::FirstByte => options.first_byte_timeout(time),
                    TimeoutKind::Idle => options.idle_timeout(time),
                    TimeoutKind::Request => options.request_timeout(time),
                    other => panic!("a new kind: {other:?}"),
                }
            }
        })*
    };
}

timed!(Tcp, UnixStream);

const KINDS: [(TimeoutKind, &str); 5] = [
    (TimeoutKind::Read, "`read_timeout`"),
    (TimeoutKind::Write, "`write_timeout`"),
    (TimeoutKind::FirstByte, "`first_byte_timeout`"),
    (TimeoutKind::Idle, "`idle_timeout`"),
    (TimeoutKind::Request, "`request_timeout`"),
];

/// All times, of which only one may run out.
fn only<T: Timed, S, M>(kind: TimeoutKind) -> impl FnOnce(Options<T, S, M>) -> Options<T, S, M> {
    move |options| with_time(with_all(options, LONG), kind, SOON)
}

/// What `handle_error` was told.
#[derive(Debug)]
struct Told {
    kind: Option<TimeoutKind>,
    is_timeout: bool,
    text: String,
}

fn told<R: Request>(hooks: Hooks<R>) -> (Hooks<R>, Receiver<Told>) {
    let (sender, told) = mpsc::channel();
    let hooks = hooks.on_error(move |_, error| {
        let _ = sender.send(Told {
            kind: error.timeout_kind(),
            is_timeout: error.is_timeout(),
            text: error.to_string(),
        });
    });
    (hooks, told)
}

fn kind_of<T>(result: io::Result<T>) -> Option<TimeoutKind> {
    let error = result.err()?;
    assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
    TimeoutKind::of(&error)
}

fn counted(timeouts: &Timeouts, kind: TimeoutKind) -> u64 {
    match kind {
        TimeoutKind::Read => timeouts.read,
        TimeoutKind::Write => timeouts.write,
        TimeoutKind::FirstByte => timeouts.first_byte,
        TimeoutKind::Idle => timeouts.idle,
        TimeoutKind::Request => timeouts.request,
        other => panic!("a new kind: {other:?}"),
    }
}

fn all_counted(stats: &Stats) -> Vec<(TimeoutKind, u64)> {
    KINDS
        .iter()
        .map(|(kind, _)| (*kind, counted(&stats.timeouts, *kind)))
        .filter(|(_, count)| *count > 0)
        .collect()
}

/// Sends what nobody reads, until that is too much.
fn write_without_end<R: Request>(request: &mut R) -> io::Result<()> {
    let data = vec![0; 1 << 20];
    loop {
        request.send_all(&data)?;
    }
}

// ---- each of them ----

fn each_time_is_told_from_the_others<T: Timed, M: Strategy + Default>() {
    for (kind, option) in KINDS {
        let hooks = Hooks::new(move |request: &mut T::Request| {
            if kind == TimeoutKind::Write {
                write_without_end(request)?;
            }
            echo_lines(request)
        });
        let (hooks, told) = told(hooks);
        let host = host_with::<T, M, _, _>(hooks, only(kind), |server| server);
        let client = host.client();
        match kind {
            TimeoutKind::Read | TimeoutKind::Request => client.send("half a li"),
            TimeoutKind::Idle => assert_eq!(client.ask("hello\n"), "hello\n"),
            _ => {}
        }
        let told = next(&told);
        assert_eq!(told.kind, Some(kind), "{told:?}");
        assert!(told.is_timeout, "{told:?}");
        assert!(told.text.contains("60ms"), "{told:?}");
        assert!(told.text.contains(option), "{told:?}");
        let handle = host.server.handle();
        drop(client);
        host.stop();
        let stats = handle.stats();
        assert_eq!(all_counted(&stats), [(kind, 1)]);
        assert_eq!(stats.failed, 1);
    }
}

fn who_is_in_time_is_not_cut<T: Timed, M: Strategy + Default>() {
    let options = |options| with_all(options, LONG);
    let host = host_with::<T, M, _, _>(Hooks::<T::Request>::echo(), options, |server| server);
    let client = host.client();
    for n in 0..50 {
        let line = format!("{n}\n");
        assert_eq!(client.ask(&line), line);
    }
    client.finish();
    client.expect_end();
    let handle = host.server.handle();
    host.stop();
    assert_eq!(all_counted(&handle.stats()), []);
    assert_eq!(handle.stats().completed, 1);
}

fn the_two_times_of_one_option<T: Timed, M: Strategy + Default>() {
    let (sender, kinds) = mpsc::channel();
    let hooks = Hooks::new(move |request: &mut T::Request| {
        sender.send(kind_of(request.readline(100)))?;
        sender.send(kind_of(write_without_end(request)))?;
        Ok(())
    });
    let host = host_with::<T, M, _, _>(hooks, |options| options.timeout(SOON), |server| server);
    let _client = host.client();
    assert_eq!(next(&kinds), Some(TimeoutKind::Read));
    assert_eq!(next(&kinds), Some(TimeoutKind::Write));
    let handle = host.server.handle();
    eventually("it has ended", || handle.stats().active == 0);
    let both = [(TimeoutKind::Read, 1), (TimeoutKind::Write, 1)];
    assert_eq!(all_counted(&handle.stats()), both);
}

// ---- which one counts ----

fn a_pause_in_a_message_is_not_idle<T: Timed, M: Strategy + Default>() {
    let (hooks, told) = told(Hooks::<T::Request>::echo());
    let host = host_with::<T, M, _, _>(hooks, only(TimeoutKind::Idle), |server| server);
    let client = host.client();
    // The first answer comes while a part of the second question is there.
    client.send("one\ntw");
    assert_eq!(client.line(), "one\n");
    thread::sleep(PAUSE);
    client.send("o\n");
    assert_eq!(client.line(), "two\n");
    client.expect_end();
    assert_eq!(next(&told).kind, Some(TimeoutKind::Idle));
}

fn a_pause_after_an_answer_is_not_one_in_a_message<T: Timed, M: Strategy + Default>() {
    let (hooks, told) = told(Hooks::<T::Request>::echo());
    let host = host_with::<T, M, _, _>(hooks, only(TimeoutKind::Read), |server| server);
    let client = host.client();
    assert_eq!(client.ask("one\n"), "one\n");
    thread::sleep(PAUSE);
    assert_eq!(client.ask("two\n"), "two\n");
    thread::sleep(PAUSE);
    client.send("half a li");
    client.expect_end();
    assert_eq!(next(&told).kind, Some(TimeoutKind::Read));
}

/// Also where the handler looks at its input before it has answered the last one.
fn an_echo_of_the_buffer_is_an_answer<T: Timed, M: Strategy + Default>() {
    let (hooks, told) = told(Hooks::new(|request: &mut T::Request| {
        loop {
            let (reader, writer) = request.split();
            let data = reader.fill_buf()?;
            let size = data.len();
            if size == 0 {
                return Ok(());
            }
            writer.write_all(data)?;
            reader.consume(size);
        }
    }));
    let host = host_with::<T, M, _, _>(hooks, only(TimeoutKind::Idle), |server| server);
    let client = host.client();
    assert_eq!(client.ask("hello\n"), "hello\n");
    client.expect_end();
    assert_eq!(next(&told).kind, Some(TimeoutKind::Idle));
}

/// A server that is asked before it serves: its first byte has come in time, however busy the machine is.
fn asked_before<T: Timed, M: Strategy + Default, S: Service<T::Request>>(
    question: &str,
    options: impl FnOnce(Options<T, S, M>) -> Options<T, S, M>,
    service: S,
    test: impl FnOnce(Client),
) {
    let dir = TempDir::new();
    let server = T::bind(&dir, options(Server::options()), service).unwrap();
    let client = T::connect(server.server_address());
    client.send(question);
    let server = server.spawn().unwrap();
    test(client);
    in_time(|| server.stop()).unwrap();
}

fn the_first_byte_is_only_the_first<T: Timed, M: Strategy + Default>() {
    let (hooks, told) = told(Hooks::<T::Request>::echo());
    asked_before::<T, M, _>("o", only(TimeoutKind::FirstByte), hooks, |client| {
        thread::sleep(PAUSE);
        assert_eq!(client.ask("ne\n"), "one\n");
        thread::sleep(PAUSE);
        assert_eq!(client.ask("two\n"), "two\n");
        client.finish();
        client.expect_end();
    });
    assert!(told.try_recv().is_err());
}

fn a_greeting_is_no_answer<T: Timed, M: Strategy + Default>() {
    let (hooks, told) = told(Hooks::new(|request: &mut T::Request| {
        request.send_all("hello\n")?;
        echo_lines(request)
    }));
    let host = host_with::<T, M, _, _>(hooks, only(TimeoutKind::FirstByte), |server| server);
    let client = host.client();
    assert_eq!(client.rest(), b"hello\n");
    assert_eq!(next(&told).kind, Some(TimeoutKind::FirstByte));
}

fn without_times_of_their_own_all_reads_have_that_of_reads<T: Timed, M: Strategy + Default>() {
    let (hooks, told) = told(Hooks::<T::Request>::echo());
    let options = |options| with_time(options, TimeoutKind::Read, SOON);
    let host = host_with::<T, M, _, _>(hooks, options, |server| server);
    host.client().expect_end();
    assert_eq!(next(&told).kind, Some(TimeoutKind::Read));
    let client = host.client();
    // Whether it is in time or not: it is of the same kind.
    let _ = client.try_send("hello\n");
    let _ = client.try_receive();
    assert_eq!(next(&told).kind, Some(TimeoutKind::Read));
}

fn idle_clients_can_be_told_good_bye<T: Timed, M: Strategy + Default>() {
    let hooks = Hooks::new(|request: &mut T::Request| {
        loop {
            match request.next_line(100) {
                Ok(Some(line)) => request.send_all(&line)?,
                Err(error) if TimeoutKind::of(&error) == Some(TimeoutKind::Idle) => {
                    return Ok(request.send_all("good bye\n")?);
                }
                Ok(None) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    });
    let host = host_with::<T, M, _, _>(hooks, only(TimeoutKind::Idle), |server| server);
    let client = host.client();
    client.send("hello\n");
    assert_eq!(client.rest(), b"hello\ngood bye\n");
    let handle = host.server.handle();
    drop(client);
    host.stop();
    let stats = handle.stats();
    assert_eq!((stats.completed, stats.failed), (1, 0));
    assert_eq!(all_counted(&stats), [(TimeoutKind::Idle, 1)]);
}

// ---- the whole request ----

fn who_sends_a_byte_at_a_time_is_cut_off<T: Timed, M: Strategy + Default>() {
    let (sender, ends) = mpsc::channel();
    let hooks = Hooks::new(move |request: &mut T::Request| {
        let read = kind_of(request.readline(1 << 20));
        let start = Instant::now();
        let after = (kind_of(request.recv(10)), kind_of(request.send_all("!")));
        // At once, and not by the kernel's time: a bound that is the promise itself.
        sender.send((read, after, start.elapsed()))?;
        Ok(())
    });
    let host = host_with::<T, M, _, _>(hooks, only(TimeoutKind::Request), |server| server);
    let client = host.client();
    let start = Instant::now();
    let (read, after, took) = loop {
        // Once it is cut off this fails.
        let _ = client.try_send(".");
        match ends.recv_timeout(Duration::from_millis(2)) {
            Ok(ends) => break ends,
            Err(_) => assert!(start.elapsed() < PATIENCE, "it goes on and on"),
        }
    };
    let request = Some(TimeoutKind::Request);
    assert_eq!((read, after), (request, (request, request)));
    assert!(took < PATIENCE, "{took:?}");
    let handle = host.server.handle();
    drop(client);
    host.stop();
    // Once, however often it was tried.
    assert_eq!(all_counted(&handle.stats()), [(TimeoutKind::Request, 1)]);
}

fn who_takes_a_little_at_a_time_is_cut_off<T: Timed, M: Strategy + Default>() {
    for kind in [TimeoutKind::Request, TimeoutKind::Write] {
        for size in [1 << 12, 1 << 20, 1 << 28] {
            // Each of many short writes is in time for itself.
            if kind == TimeoutKind::Write && size < 1 << 28 {
                continue;
            }
            let (sender, ends) = mpsc::channel();
            let hooks = Hooks::new(move |request: &mut T::Request| {
                let data = vec![0; size];
                let end = loop {
                    if let Some(kind) = kind_of(request.send_all(&data)) {
                        break kind;
                    }
                };
                sender.send(end)?;
                Ok(())
            });
            let host = host_with::<T, M, _, _>(hooks, only(kind), |server| server);
            let client = host.client();
            let start = Instant::now();
            let end = loop {
                // Once it is cut off there is less.
                let _ = (&*client.socket()).read(&mut [0; 4096]);
                match ends.recv_timeout(Duration::from_millis(1)) {
                    Ok(end) => break end,
                    Err(_) => assert!(start.elapsed() < PATIENCE, "it goes on and on"),
                }
            };
            assert_eq!(end, kind, "{size}");
        }
    }
}

/// Although the socket's own time is a part of it, a quarter, which is over in the pause.
fn the_time_of_the_whole_request_is_not_over_too_early<T: Timed, M: Strategy + Default>() {
    let hooks = Hooks::<T::Request>::echo();
    let whole = |options| with_time(options, TimeoutKind::Request, 40 * SOON);
    let host = host_with::<T, M, _, _>(hooks, whole, |server| server);
    let client = host.client();
    thread::sleep(11 * SOON);
    assert_eq!(client.ask("in time\n"), "in time\n");
}

// ---- changed for one request ----

fn a_request_can_have_a_time_of_its_own_beside_them<T: Timed, M: Strategy + Default>() {
    let (sender, results) = mpsc::channel();
    let hooks = Hooks::new(move |request: &mut T::Request| {
        request.set_timeout(SOON)?;
        let error = request.readline(100).unwrap_err();
        sender.send((TimeoutKind::of(&error), error.to_string()))?;
        let zero = request.set_timeout(Duration::ZERO).unwrap_err();
        assert_eq!(zero.kind(), ErrorKind::InvalidInput);
        request.set_timeout(None)?;
        request.send_all("go on\n")?;
        let line = request.readline(100)?;
        request.send_all(&line)?;
        // An answer was written: that time stays the server's.
        request.set_timeout(LONG)?;
        let error = request.readline(100).unwrap_err();
        sender.send((TimeoutKind::of(&error), error.to_string()))?;
        Ok(())
    });
    let options = |options| {
        let options = with_time(options, TimeoutKind::Idle, SOON);
        with_time(options, TimeoutKind::Request, LONG)
    };
    let host = host_with::<T, M, _, _>(hooks, options, |server| server);
    let client = host.client();
    assert_eq!(client.line(), "go on\n");
    let (kind, text) = next(&results);
    assert_eq!(kind, Some(TimeoutKind::Read));
    assert!(
        text.contains("60ms") && text.contains("set_timeout"),
        "{text}"
    );
    thread::sleep(PAUSE); // no limit: a greeting is no answer, and the request has long
    assert_eq!(client.ask("late\n"), "late\n");
    assert_eq!(next(&results).0, Some(TimeoutKind::Idle));
}

/// A timeout that a handler sets by means of the socket counts as that of the request does.
fn so_can_its_socket<T: Timed, M: Strategy + Default>() {
    let (sender, kinds) = mpsc::channel();
    let hooks = Hooks::new(move |request: &mut T::Request| {
        {
            let socket = request.socket().as_fd();
            let socket = SockRef::from(&socket);
            socket.set_read_timeout(Some(SOON))?;
            socket.set_write_timeout(Some(SOON))?;
        }
        sender.send(kind_of(request.readline(100)))?;
        sender.send(kind_of(write_without_end(request)))?;
        Ok(())
    });
    let options = |options| with_all(options, LONG);
    let host = host_with::<T, M, _, _>(hooks, options, |server| server);
    let client = host.client();
    client.send("half a li"); // before, there is long for the first byte
    assert_eq!(next(&kinds), Some(TimeoutKind::Read));
    assert_eq!(next(&kinds), Some(TimeoutKind::Write));
}

// ---- senders ----

fn senders_are_in_time_too<T: Timed, M: Strategy + Default>() {
    let (sender, results) = mpsc::channel();
    let hooks = Hooks::new(move |request: &mut T::Request| {
        // One of them writes, the other waits for it: neither longer than a write may take.
        let writers: Vec<_> = [request.sender(), request.sender()]
            .into_iter()
            .map(|client| thread::spawn(move || client.send_all(vec![0; 1 << 26])))
            .collect();
        for writer in writers {
            sender.send(kind_of(writer.join().unwrap()))?;
        }
        Ok(())
    });
    let host = host_with::<T, M, _, _>(hooks, only(TimeoutKind::Write), |server| server);
    let client = host.client();
    for _ in 0..2 {
        assert_eq!(next(&results), Some(TimeoutKind::Write));
    }
    let handle = host.server.handle();
    drop(client);
    host.stop();
    assert_eq!(all_counted(&handle.stats()), [(TimeoutKind::Write, 2)]);
}

over_streams_by_strategy!(
    each_time_is_told_from_the_others,
    who_is_in_time_is_not_cut,
    the_two_times_of_one_option,
    a_pause_in_a_message_is_not_idle,
    a_pause_after_an_answer_is_not_one_in_a_message,
    an_echo_of_the_buffer_is_an_answer,
    the_first_byte_is_only_the_first,
    a_greeting_is_no_answer,
    without_times_of_their_own_all_reads_have_that_of_reads,
    idle_clients_can_be_told_good_bye,
    who_sends_a_byte_at_a_time_is_cut_off,
    who_takes_a_little_at_a_time_is_cut_off,
    the_time_of_the_whole_request_is_not_over_too_early,
    a_request_can_have_a_time_of_its_own_beside_them,
    so_can_its_socket,
    senders_are_in_time_too,
);

// ---- options ----

fn a_time_of_zero_is_refused<T: Timed>() {
    for (kind, option) in KINDS {
        let dir = TempDir::new();
        let options = Server::<T, _, Threading>::options();
        match T::bind(&dir, with_time(options, kind, Duration::ZERO), || LineEcho) {
            Err(Error::Bind { source, .. }) => {
                assert_eq!(source.kind(), ErrorKind::InvalidInput);
                assert!(source.to_string().contains(option), "{source}");
            }
            Err(other) => panic!("another error: {other:?}"),
            Ok(_) => panic!("{kind:?} was accepted"),
        }
    }
}

fn a_time_can_be_taken_back<T: Timed>() {
    let options = |options: Options<T, _, Threading>| {
        let options = with_all(options, SOON);
        with_all(options, None)
    };
    let host = host_with::<T, Threading, _, _>(Hooks::<T::Request>::echo(), options, |it| it);
    let client = host.client();
    thread::sleep(PAUSE);
    assert_eq!(client.ask("hello\n"), "hello\n");
}

over_streams!(a_time_of_zero_is_refused, a_time_can_be_taken_back);

// ---- waiting for a thread ----

/// The time to the first byte begins when the client is accepted, but what has come meanwhile has come.
fn a_first_byte_in_time_counts_for_a_request_that_waits<T: Timed>() {
    let gate = Gate::default();
    let (hooks, told) = told(Hooks::new({
        let gate = gate.clone();
        move |request: &mut T::Request| {
            gate.pass();
            echo_lines(request)
        }
    }));
    let host = host_with::<T, Sequential, _, _>(hooks, only(TimeoutKind::FirstByte), |server| {
        server.strategy(ThreadPool::new(1).queue(5))
    });
    let clients = [host.client(), host.client(), host.client()];
    let handle = host.server.handle();
    eventually("all are accepted", || handle.stats().accepted == 3);
    // Before anybody looks.
    clients[0].send("one\n");
    clients[1].send("two\n");
    thread::sleep(PAUSE);
    gate.open();
    for (client, line) in clients.iter().zip(["one\n", "two\n"]) {
        assert_eq!(client.line(), line);
        client.finish();
        client.expect_end();
    }
    clients[2].expect_end();
    assert_eq!(next(&told).kind, Some(TimeoutKind::FirstByte));
}

over_streams!(a_first_byte_in_time_counts_for_a_request_that_waits);

// ---- a worker for all ----

fn who_is_busy_does_not_keep_the_time_of_others_from_running_out<T: Timed>() {
    let hooks = Hooks::<T::Request>::echo();
    let done = AtomicBool::new(false);
    let host = host_with::<T, Sequential, _, _>(hooks, only(TimeoutKind::FirstByte), |server| {
        server.strategy(Coroutines::new().workers(1))
    });
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::SeqCst) {
                // It may itself be too late with its first byte, on a busy machine.
                let client = host.client();
                for _ in 0..100 {
                    let _ = client.try_send("hello\n");
                    let _ = client.try_receive();
                }
            }
        });
        let silent: Vec<_> = (0..10).map(|_| host.client()).collect();
        for client in &silent {
            client.expect_end();
        }
        done.store(true, Ordering::SeqCst);
    });
    assert!(host.server.handle().stats().timeouts.first_byte >= 10);
}

over_streams!(who_is_busy_does_not_keep_the_time_of_others_from_running_out);

// ---- children ----

/// They have the sockets, and the times, of their parent.
fn a_forked_child_keeps_the_times<T: Timed>() {
    for (kind, _) in KINDS {
        let service = move |request: &mut T::Request| {
            if kind == TimeoutKind::Write {
                let written = kind_of(write_without_end(request));
                // What was in the way is read by now.
                request.set_timeout(LONG)?;
                request.readline(100)?;
                return Ok(write!(request, "{written:?}")?);
            }
            let read = match kind_of(request.next_line(100)) {
                None => {
                    request.send_all("!")?;
                    kind_of(request.next_line(100))
                }
                read => read,
            };
            if read == Some(TimeoutKind::Request) {
                assert_eq!(kind_of(request.send_all("too late")), read);
                return Ok(());
            }
            Ok(write!(request, "{read:?}")?)
        };
        let host = host_with::<T, Sequential, _, _>(Hooks::new(service), only(kind), |server| {
            server.strategy(forking())
        });
        let client = host.client();
        let expected = format!("{:?}", Some(kind));
        match kind {
            TimeoutKind::Read => {
                client.send("half a li");
                assert_eq!(client.rest(), expected.as_bytes());
            }
            TimeoutKind::FirstByte => assert_eq!(client.rest(), expected.as_bytes()),
            TimeoutKind::Idle => {
                client.send("question\n");
                assert_eq!(client.rest(), format!("!{expected}").as_bytes());
            }
            TimeoutKind::Request => client.expect_end(),
            _ => {
                thread::sleep(PAUSE);
                client.send("now\n");
                assert!(client.rest().ends_with(expected.as_bytes()));
            }
        }
    }
}

over_streams!(a_forked_child_keeps_the_times);

// ---- sockets of other kinds ----

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
    deadlines: Deadlines,
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
        StreamRequest::with_deadlines(Plain(socket), peer, server, &self.deadlines)
    }
}

impl AsFd for PlainTcp {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }
}

impl Bind<Deadlines> for PlainTcp {
    fn server_bind(deadlines: Deadlines, _: &SocketOptions) -> Result<Self, Error> {
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
        let mut deadlines = Deadlines::default();
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

by_strategy!(a_socket_that_knows_nothing_keeps_the_times);

#[test]
fn a_socket_of_ones_own_is_refused_a_time_of_zero() {
    let mut deadlines = Deadlines::default();
    deadlines.request = Some(Duration::ZERO);
    let service = Hooks::<StreamRequest<Plain>>::echo();
    let server = Server::<PlainTcp, _, Sequential>::bind(deadlines, service).unwrap();
    let _client = Tcp::connect(server.server_address());
    match in_time(move || server.serve_forever()) {
        Err(Error::Accept { source, .. }) => assert_eq!(source.kind(), ErrorKind::InvalidInput),
        other => panic!("it was served: {other:?}"),
    }
}
