//! State of the server process that its children copy or share, and the hook that runs in each child.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufWriter, Seek};

use super::*;

/// Serves on a thread that has drawn random numbers before. Returns the tokens that three clients get.
fn tokens_of_three_clients(forking: Forking) -> Vec<String> {
    let token = handler_fn(|request: &mut TcpRequest| {
        let tokens = (rand::random::<u64>(), fastrand::u64(..));
        Ok(writeln!(request, "{tokens:x?}")?)
    });
    let server = TcpServer::bind(LOOPBACK, token).unwrap();
    let server = server.strategy(forking);
    let (address, handle) = (*server.server_address(), server.handle());
    let serving = thread::spawn(move || {
        let _ = (rand::random::<u64>(), fastrand::u64(..));
        server.serve_forever()
    });
    let tokens = (0..3).map(|_| Tcp::connect(&address).line()).collect();
    handle.shutdown();
    in_time(|| serving.join()).unwrap().unwrap();
    tokens
}

/// In Python, `random` is seeded again in each child.
#[test]
fn children_repeat_random_numbers_unless_the_hook_seeds_again() {
    apart(
        test_name!("children_repeat_random_numbers_unless_the_hook_seeds_again"),
        || {
            let repeated = tokens_of_three_clients(forking());
            assert_eq!((&repeated[1], &repeated[2]), (&repeated[0], &repeated[0]));

            let tokens = tokens_of_three_clients(forking().in_child(|| {
                rand::rng().reseed().unwrap();
                fastrand::seed(rand::random());
            }));
            let numbers = tokens
                .iter()
                .flat_map(|tokens| tokens.trim().split([',', ' ', '(', ')']))
                .filter(|number| !number.is_empty());
            let different: BTreeSet<_> = numbers.collect();
            assert_eq!(different.len(), 6, "{tokens:?}");
        },
    );
}

fn the_hook_runs_in_each_child_before_the_handler_is_made<T: Reachable>() {
    static CHILD: AtomicU32 = AtomicU32::new(0);

    struct AnswerPid {
        child: u32,
    }
    impl<R: Request> RequestHandler<R> for AnswerPid {
        fn handle(&mut self, request: &mut R) -> Result {
            request.readline(10)?;
            Ok(writeln!(request, "{}", self.child == std::process::id())?)
        }
    }
    let service = || AnswerPid {
        child: CHILD.load(Ordering::SeqCst),
    };
    let forking = forking().in_child(|| CHILD.store(std::process::id(), Ordering::SeqCst));
    let host = host_by::<T, _, _>(forking, service);
    for _ in 0..2 {
        assert_eq!(host.client().ask("?\n"), "true\n");
    }
    assert_eq!(CHILD.load(Ordering::SeqCst), 0);
}

/// Sends errors to the client. No handler runs.
struct ReportsErrors;

impl<R: Request> Service<R> for ReportsErrors {
    type Handler = LineEcho;

    fn request_handler(self: &Arc<Self>) -> LineEcho {
        unreachable!("the hook has panicked")
    }

    fn handle_error(&self, request: &mut R, error: &HandlerError) {
        let _ = writeln!(request.sender(), "{:?}: {error}", error.stage());
    }
}

fn a_panic_of_the_hook_fails_the_request<T: Reachable>() {
    expect_panics();
    let (forking, ends) = watched();
    let host = host_by::<T, _, _>(forking.in_child(|| panic!("on purpose")), ReportsErrors);
    for _ in 0..2 {
        let client = host.client();
        // A child of a stream server may have closed the connection already.
        let _ = client.try_send("?\n");
        let error = client.line();
        assert_eq!(
            error,
            "ProcessRequest: process_request panicked: on purpose\n"
        );
        if T::KIND == RequestKind::Connection {
            client.expect_end();
        }
        assert_eq!(next(&ends).code(), Some(1));
    }
    let stats = host.server.stats();
    assert_eq!((stats.failed, stats.completed), (2, 0));
}

#[test]
fn open_files_are_shared_and_buffers_are_copied() {
    apart(
        test_name!("open_files_are_shared_and_buffers_are_copied"),
        || {
            let dir = TempDir::new();
            let path = dir.socket();
            let file = File::create_new(&path).unwrap();
            let buffered = Mutex::new(BufWriter::new(file.try_clone().unwrap()));
            write!(buffered.lock().unwrap(), "<parent>").unwrap();
            let (forking, ends) = watched();
            let write = handler_fn(move |request: &mut TcpRequest| {
                let mut buffered = buffered.lock().unwrap();
                match &request.readline(10)?[..] {
                    b"flush\n" => Ok(buffered.flush()?),
                    _ => Ok(write!(buffered, "<lost>")?),
                }
            });
            let host = host_by::<Tcp, _, _>(forking, write);
            for order in ["flush\n", "write\n", "flush\n"] {
                host.client().send(order);
                assert_eq!(next(&ends).code(), Some(0));
            }
            // The offset of the parent's descriptor has moved.
            assert_eq!((&file).stream_position().unwrap(), 16);
            host.stop();
            // The service was dropped, which has flushed the buffer of the parent.
            assert_eq!(fs::read_to_string(path).unwrap(), "<parent>".repeat(3));
        },
    );
}

#[test]
fn a_lock_on_a_file_is_held_by_children_too() {
    apart(
        test_name!("a_lock_on_a_file_is_held_by_children_too"),
        || {
            let dir = TempDir::new();
            let path = dir.socket();
            let file = Arc::new(File::create_new(&path).unwrap());
            file.lock().unwrap();
            let is_locked = || File::open(&path).unwrap().try_lock().is_err();
            let in_child = Arc::clone(&file);
            let unlock = handler_fn(move |request: &mut TcpRequest| {
                in_child.unlock()?;
                Ok(writeln!(request, "unlocked")?)
            });
            let host = host_by::<Tcp, _, _>(forking(), unlock);
            assert!(is_locked());
            assert_eq!(host.client().line(), "unlocked\n");
            assert!(!is_locked());
            drop(file);
        },
    );
}

#[test]
fn thread_locals_have_the_values_of_the_serving_thread() {
    thread_local!(static VALUE: Cell<u32> = const { Cell::new(0) });
    apart(
        test_name!("thread_locals_have_the_values_of_the_serving_thread"),
        || {
            let answer =
                handler_fn(|request: &mut TcpRequest| Ok(writeln!(request, "{}", VALUE.get())?));
            let server = TcpServer::bind(LOOPBACK, answer).unwrap();
            let server = server.strategy(forking());
            let (address, handle) = (*server.server_address(), server.handle());
            let serving = thread::spawn(move || {
                VALUE.set(7);
                server.serve_forever()
            });
            assert_eq!(Tcp::connect(&address).line(), "7\n");
            handle.shutdown();
            in_time(|| serving.join()).unwrap().unwrap();
        },
    );
}

over_apart!([Tcp, Udp, UnixStream, UnixDatagram]
    the_hook_runs_in_each_child_before_the_handler_is_made,
    a_panic_of_the_hook_fails_the_request,
);
