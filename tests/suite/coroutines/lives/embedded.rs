//! As a part of something else.

use super::*;

#[test]
fn it_can_be_boxed() {
    let boxed: Box<dyn Strategy> = Box::new(Coroutines::new().workers(2));
    let host = host_by::<Tcp, _, _>(boxed, Hooks::echo());
    let clients = [(); 20].map(|()| host.client());
    for client in clients.iter().rev() {
        assert_eq!(client.ask("hello\n"), "hello\n");
    }
    drop(clients);
    assert_eq!(host.stop().abandoned.len(), 0);
}

/// Counts jobs, and passes all calls on.
struct Counting {
    jobs: Arc<AtomicUsize>,
    inner: Coroutines,
}

impl Strategy for Counting {
    fn process_request(&self, job: Job) -> Result<(), Rejected> {
        self.jobs.fetch_add(1, Ordering::SeqCst);
        self.inner.process_request(job)
    }

    fn wait(&self, wait: &AcceptWait<'_>) -> io::Result<Ready> {
        self.inner.wait(wait)
    }

    fn server_close(&self, timeout: Duration) {
        self.inner.server_close(timeout);
    }

    fn scheduling(&self) -> Scheduling<'_> {
        self.inner.scheduling().wrapped()
    }
}

fn it_can_be_wrapped<T: Connected>() {
    let jobs: Arc<AtomicUsize> = Arc::default();
    let strategy = Counting {
        jobs: Arc::clone(&jobs),
        inner: Coroutines::new().workers(2),
    };
    let host = host_by::<T, _, _>(strategy, Hooks::<T::Request>::echo());
    let clients = [(); 20].map(|()| host.client());
    for client in clients.iter().rev() {
        assert_eq!(client.ask("hello\n"), "hello\n");
    }
    assert_eq!(jobs.load(Ordering::SeqCst), 20);
    drop(clients);
    assert_eq!(host.stop().abandoned.len(), 0);
}

over_streams!(it_can_be_wrapped,);

/// Passes on no scheduling, so that `Coroutines` has no accept loops and runs jobs on auxiliary workers.
struct NoLoops(Coroutines);

impl Strategy for NoLoops {
    fn process_request(&self, job: Job) -> Result<(), Rejected> {
        self.0.process_request(job)
    }

    fn wait(&self, wait: &AcceptWait<'_>) -> io::Result<Ready> {
        self.0.wait(wait)
    }

    fn server_close(&self, grace: Duration) {
        self.0.server_close(grace);
    }
}

fn it_can_run_what_others_accept<T: Connected>() {
    let host = host_with::<T, Sequential, _, _>(
        Hooks::<T::Request>::echo(),
        |options| options,
        |server| {
            let strategy = NoLoops(Coroutines::new().workers(2).max_coroutines(6));
            // The loop looks at nothing by itself.
            server.strategy(strategy).poll_interval(None)
        },
    );
    let mut clients: Vec<_> = (0..6)
        .map(|_| {
            let client = host.client();
            assert_eq!(client.ask("hello\n"), "hello\n");
            client
        })
        .collect();
    // Those beyond the cap come in when others leave.
    let mut waiting = Vec::new();
    for _ in 0..6 {
        let client = host.client();
        client.send("let me in\n");
        waiting.push(client);
    }
    // Until the loop has seen that there is no room, which nothing says.
    thread::sleep(Duration::from_millis(50));
    assert!(host.server.stats().accepted < 12);
    for client in waiting {
        clients.remove(0);
        assert_eq!(client.line(), "let me in\n");
        clients.push(client);
    }
    drop(clients);
    assert_eq!(host.stop().abandoned.len(), 0);
}

over_streams!(it_can_run_what_others_accept,);

#[test]
fn datagrams_are_served_by_all_workers() {
    let server = UdpServer::bind(own_loopback(), || LineEcho).unwrap();
    let server = server.strategy(Coroutines::new().workers(3));
    let server = server.spawn().unwrap();
    let clients = [(); 10].map(|()| socketserver::transport::Udp::connect(server.server_address()));
    for n in 0..50 {
        for client in &clients {
            client.send(format!("{n}\n"));
        }
        for client in &clients {
            assert_eq!(client.receive(), format!("{n}\n").into_bytes());
        }
    }
    let handle = server.handle();
    in_time(|| server.stop()).unwrap();
    assert_eq!(handle.stats().completed, 500);
}
