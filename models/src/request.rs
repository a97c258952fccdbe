//! Stand-in for requests. Models serve connections only: see `models::connection`.

#[allow(dead_code)]
pub(crate) enum RequestKind {
    Connection,
    Datagram,
}
