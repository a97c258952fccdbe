//! Errors after which the server cannot continue.

use super::*;

fn an_unusable_socket_ends_the_server<T: Inner>(kind: Kind) {
    let mut faults: Vec<(Fault, Option<i32>)> = Vec::new();
    for errno in FATAL {
        faults.push((Box::new(move || errno.into()), Some(errno as i32)));
    }
    faults.push((Box::new(|| io::Error::other("no number")), None));
    for (fault, number) in faults {
        let faulty = faulty_server::<T>(kind);
        faulty.plan.fail(1, fault);
        let client = faulty.client();
        let handle = faulty.server.handle();
        assert_eq!(next(&faulty.errors), number);
        faulty.expect_counts([0, 0, 1]);
        assert!(handle.wait(PATIENCE), "the server continues");
        let server = faulty.server;
        let error = in_time(move || server.stop()).unwrap_err();
        assert!(matches!(error, Error::Accept { .. }), "{error:?}");
        assert_eq!(error.io_error().unwrap().raw_os_error(), number);
        assert_eq!(handle.stats().accept_errors.total(), 1);
        drop(client);
    }
}

by_transport_and_kind!(an_unusable_socket_ends_the_server,);
