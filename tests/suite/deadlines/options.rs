//! Options.

use super::*;

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

over_streams!(a_time_of_zero_is_refused, a_time_can_be_taken_back,);
