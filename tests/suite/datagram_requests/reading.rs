//! Reading a datagram.

use super::*;

fn the_packet_stays_whole_after_reads<T: Packets>() {
    let host = host::<T, Sequential, _>(Hooks::new(|request: &mut T::Request| {
        assert_eq!(request.packet(), b"one\ntwo\n");
        let line = request.readline(100)?;
        let packet = request.packet().to_vec();
        request.send_all([line, packet].concat())?;
        Ok(())
    }));
    let client = host.client();
    client.send("one\ntwo\n");
    assert_eq!(client.receive(), b"one\none\ntwo\n");
}

fn reading_past_the_packet_is_its_end<T: Packets>() {
    let host = host::<T, Sequential, _>(Hooks::new(|request: &mut T::Request| {
        assert_eq!(request.recv(0)?, b"");
        assert_eq!(request.recv(2)?, b"12");
        assert_eq!(request.read_exactly(2)?, b"34");
        assert_eq!(request.recv(100)?, b"567");
        assert_eq!(request.recv(100)?, b"");
        assert_eq!(request.readline(100)?, b"");
        assert_eq!(request.read(&mut [0; 10])?, 0);
        assert_eq!(request.read_exactly(0)?, b"");
        request.send_all(b"read")?;
        Ok(())
    }));
    let client = host.client();
    client.send("1234567");
    assert_eq!(client.receive(), b"read");
}

/// A short datagram is an error of the client, not a disconnect.
fn reading_more_than_the_packet_holds_is_an_error<T: Packets>() {
    let (hooks, failures) = Hooks::new(|request: &mut T::Request| {
        request.read_exactly(8)?;
        request.send_all(b"eight")?;
        Ok(())
    })
    .failures();
    let host = host::<T, Sequential, _>(hooks);
    let client = host.client();
    client.send("1234567");
    let failure = next(&failures);
    assert_eq!(failure.stage, Stage::Handle);
    assert_eq!(failure.kind, Some(ErrorKind::UnexpectedEof));
    assert!(!failure.is_disconnect && !failure.is_timeout);
    client.send("12345678");
    assert_eq!(client.receive(), b"eight");
}

/// Answers with the size of the packet, and whether it was truncated.
fn measure<R: Request + Measured>() -> Hooks<R> {
    Hooks::new(|request: &mut R| {
        let text = request.measured();
        request.send_all(text.as_bytes())?;
        Ok(())
    })
}

trait Measured {
    fn measured(&self) -> String;
}

impl<S: DatagramSocket> Measured for DatagramRequest<S> {
    fn measured(&self) -> String {
        format!("{} {}", self.packet().len(), self.truncated())
    }
}

fn a_truncated_datagram_is_marked<T: Packets>() {
    let host = host_with::<T, Sequential, _, _>(
        measure(),
        |options| options.max_packet_size(100),
        |server| server,
    );
    let client = host.client();
    for (size, answer) in [
        (99, "99 false"),
        (100, "100 false"),
        (101, "100 true"),
        (T::LARGEST.min(20_000), "100 true"),
        // The truncated packet has no effect on the next.
        (100, "100 false"),
    ] {
        client.send(vec![b'.'; size]);
        assert_eq!(client.receive(), answer.as_bytes(), "of {size} bytes");
    }
}

#[test]
fn by_default_no_udp_datagram_is_truncated() {
    let host = host::<Udp, Sequential, _>(measure());
    let client = host.client();
    for size in [8192, 8193, 20_000, LARGEST] {
        client.send(vec![b'.'; size]);
        assert_eq!(client.receive(), format!("{size} false").as_bytes());
    }
}

#[cfg(target_os = "linux")]
#[test]
fn by_default_usual_unix_datagrams_are_not_truncated() {
    let host = host::<UnixDatagram, Sequential, _>(measure());
    let client = host.client();
    for size in [LARGEST, 65_536, 150_000] {
        client.send(vec![b'.'; size]);
        assert_eq!(client.receive(), format!("{size} false").as_bytes());
    }
}

/// `usize::MAX` means no limit.
fn the_greatest_packet_size_is_served<T: Packets>() {
    let host = host_with::<T, Threading, _, _>(
        measure(),
        |options| options.max_packet_size(usize::MAX),
        |server| server,
    );
    let client = host.client();
    client.send("12345");
    assert_eq!(client.receive(), b"5 false");
}

fn a_packet_size_of_zero_truncates_every_datagram<T: Packets>() {
    let host = host_with::<T, Sequential, _, _>(
        measure(),
        |options| options.max_packet_size(0),
        |server| server,
    );
    let client = host.client();
    for (sent, answer) in [("12345", "0 true"), ("", "0 false")] {
        client.send(sent);
        assert_eq!(client.receive(), answer.as_bytes());
    }
}

fn the_largest_datagram_passes_both_ways_unharmed<T: Packets>() {
    let host = host::<T, Sequential, _>(Hooks::new(|request: &mut T::Request| {
        let mut packet = Vec::new();
        request.read_to_end(&mut packet)?;
        request.send_all(&packet)?;
        Ok(())
    }));
    let client = host.client();
    let sent: Vec<u8> = (0..T::LARGEST).map(|n| (n % 251) as u8).collect();
    client.send(&sent);
    assert!(client.receive() == sent);
}

fn an_empty_datagram_is_a_request<T: Packets>() {
    let host = host::<T, Sequential, _>(Hooks::new(|request: &mut T::Request| {
        assert_eq!(request.readline(100)?, b"");
        request.send_all(b"empty")?;
        Ok(())
    }));
    let client = host.client();
    client.send("");
    assert_eq!(client.receive(), b"empty");
}

over_datagrams!(
    the_packet_stays_whole_after_reads,
    reading_past_the_packet_is_its_end,
    reading_more_than_the_packet_holds_is_an_error,
    a_truncated_datagram_is_marked,
    the_greatest_packet_size_is_served,
    a_packet_size_of_zero_truncates_every_datagram,
    the_largest_datagram_passes_both_ways_unharmed,
    an_empty_datagram_is_a_request,
);
