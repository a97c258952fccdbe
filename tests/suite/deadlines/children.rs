//! Children.

use super::*;

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

over_streams!(a_forked_child_keeps_the_times,);
