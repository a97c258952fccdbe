//! The options that set timeouts.

use super::*;

fn a_timeout_of_zero_is_an_error<T: Timed>() {
    for (kind, option) in KINDS {
        let dir = TempDir::new();
        let options = Server::<T, _, Threading>::options();
        match T::bind(&dir, with_timeout(options, kind, Duration::ZERO), || {
            LineEcho
        }) {
            Err(Error::Bind { source, .. }) => {
                assert_eq!(source.kind(), ErrorKind::InvalidInput);
                assert!(source.to_string().contains(option), "{source}");
            }
            Err(other) => panic!("not a bind error: {other:?}"),
            Ok(_) => panic!("a {kind:?} timeout of zero was accepted"),
        }
    }
}

fn a_timeout_can_be_unset<T: Timed>() {
    let options = |options: Options<T, _, Threading>| {
        let options = with_all(options, SOON);
        with_all(options, None)
    };
    let host = host_with::<T, Threading, _, _>(Hooks::<T::Request>::echo(), options, |it| it);
    let client = host.client();
    thread::sleep(PAUSE);
    assert_eq!(client.ask("hello\n"), "hello\n");
}

over_streams!(a_timeout_of_zero_is_an_error, a_timeout_can_be_unset,);
