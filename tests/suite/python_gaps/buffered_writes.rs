//! A handler with a buffered `wfile`.

use super::*;

/// Synchronizes a handler with the test that observes its client.
#[derive(Clone)]
struct Steps {
    written: mpsc::Sender<()>,
    go_on: Gate,
}

impl Steps {
    fn new() -> (Self, mpsc::Receiver<()>) {
        let (written, watch) = mpsc::channel();
        let go_on = Gate::default();
        (Self { written, go_on }, watch)
    }

    /// Writes the words in small pieces, and waits for `go_on`.
    fn write(&self, wfile: &mut impl Write, words: &[&str]) -> Result {
        for word in words {
            wfile.write_all(word.as_bytes())?;
        }
        self.written.send(())?;
        self.go_on.pass();
        Ok(())
    }
}

const WORDS: [&str; 3] = ["one ", "two ", "three\n"];

#[track_caller]
fn expect_nothing_yet(client: &Client) {
    client.socket().set_nonblocking(true).unwrap();
    let nothing = client.try_receive().unwrap_err();
    assert_eq!(nothing.kind(), io::ErrorKind::WouldBlock);
    client.socket().set_nonblocking(false).unwrap();
}

/// Python: `wbufsize`, and `self.wfile.flush()` in `handle`.
fn buffered_data_is_sent_by_a_flush<T: Connected>() {
    let (steps, written) = Steps::new();
    let go_on = steps.go_on.clone();
    let host = host::<T, Threading, _>(Hooks::new(move |request: &mut T::Request| {
        let mut wfile = BufWriter::new(request);
        steps.write(&mut wfile, &WORDS)?;
        Ok(wfile.flush()?)
    }));
    let client = host.client();
    next(&written);
    expect_nothing_yet(&client);
    go_on.open();
    assert_eq!(client.rest(), b"one two three\n");
    host.stop();
}

/// Python: `wbufsize`, and the `finish` of `StreamRequestHandler`.
struct Buffered {
    steps: Steps,
    words: Vec<&'static str>,
    end: fn() -> Result,
    failed: mpsc::Sender<Failure>,
}

impl<R: Request> Service<R> for Buffered {
    type Handler = BufferedHandler;

    fn request_handler(self: &Arc<Self>) -> BufferedHandler {
        BufferedHandler {
            service: Arc::clone(self),
            wfile: None,
        }
    }

    fn handle_error(&self, _: &mut R, error: &HandlerError) {
        let _ = self.failed.send(Failure::of(error));
    }
}

struct BufferedHandler {
    service: Arc<Buffered>,
    wfile: Option<BufWriter<Sender>>,
}

impl<R: Request> RequestHandler<R> for BufferedHandler {
    fn setup(&mut self, request: &mut R) -> Result {
        let size = self.service.words.concat().len();
        self.wfile = Some(BufWriter::with_capacity(size + 1, request.sender()));
        Ok(())
    }

    fn handle(&mut self, _: &mut R) -> Result {
        let wfile = self.wfile.as_mut().expect("setup has run");
        self.service.steps.write(wfile, &self.service.words)?;
        (self.service.end)()
    }

    fn finish(&mut self, _: &mut R) -> Result {
        let wfile = self.wfile.as_mut().expect("setup has run");
        Ok(wfile.flush()?)
    }
}

/// Server whose handler writes words through a buffer and ends with `end`, and its client.
struct Buffering<T: Connected> {
    host: Host<T, Buffered>,
    client: Client,
    written: mpsc::Receiver<()>,
    go_on: Gate,
    failures: mpsc::Receiver<Failure>,
}

impl<T: Connected> Buffering<T> {
    fn start(words: Vec<&'static str>, end: fn() -> Result) -> Self {
        let (steps, written) = Steps::new();
        let go_on = steps.go_on.clone();
        let (failed, failures) = mpsc::channel();
        let host = host::<T, Threading, _>(Buffered {
            steps,
            words,
            end,
            failed,
        });
        let client = host.client();
        Self {
            host,
            client,
            written,
            go_on,
            failures,
        }
    }
}

/// The flush in `finish` also runs after `handle` has failed.
fn buffered_data_is_sent_in_finish<T: Connected>() {
    let ends: [fn() -> Result; 2] = [|| Ok(()), || Err("on purpose".into())];
    for (failed, end) in ends.into_iter().enumerate() {
        let test = Buffering::<T>::start(WORDS.into(), end);
        next(&test.written);
        expect_nothing_yet(&test.client);
        test.go_on.open();
        assert_eq!(test.client.rest(), b"one two three\n");
        test.host.stop();
        assert_eq!(test.failures.iter().count(), failed);
    }
}

/// Python ignores errors of the last flush. Here the error is reported, as a disconnect.
fn buffered_data_for_a_disconnected_client_is_a_disconnect<T: Connected>() {
    // More data than the system buffers, because it may not notice the disconnect at once.
    let test = Buffering::<T>::start(vec!["so many words "; 1 << 20], || Ok(()));
    next(&test.written);
    drop(test.client);
    test.go_on.open();
    let failure = next(&test.failures);
    assert!(failure.is_disconnect, "{failure:?}");
    assert_eq!(failure.stage, Stage::Finish);
    test.host.stop();
}

over_streams!(
    buffered_data_is_sent_by_a_flush,
    buffered_data_is_sent_in_finish,
    buffered_data_for_a_disconnected_client_is_a_disconnect,
);
