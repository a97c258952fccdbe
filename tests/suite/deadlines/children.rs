//! Timeouts in child processes, which inherit the sockets of their parent.

use super::*;

fn timeouts_apply_in_a_forked_child<T: Timed>() {
    for (kind, _) in KINDS {
        let (mut expired, expires) = std::os::unix::net::UnixStream::pair().unwrap();
        expired.set_read_timeout(Some(PATIENCE)).unwrap();
        let service = move |request: &mut T::Request| {
            if kind == TimeoutKind::Write {
                let written = kind_of(write_until_error(request));
                (&expires).write_all(b"!")?;
                // After it has sent this line, the client reads, so that the next write has space.
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
                // A child process that is late would write on while the client reads.
                expired.read_exact(&mut [0]).unwrap();
                client.send("now\n");
                assert!(client.rest().ends_with(expected.as_bytes()));
            }
        }
    }
}

over_apart!([Tcp, UnixStream]
timeouts_apply_in_a_forked_child,);
