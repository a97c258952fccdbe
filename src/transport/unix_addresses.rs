//! The addresses that Unix servers are bound to.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use crate::address::UnixAddress;

/// What a Unix server can be bound to: a path as a text, a `Path`, a `PathBuf`, an `OsStr` or an `OsString`, or a
/// [`UnixAddress`], which also has names in the abstract namespace of Linux; or an array, a slice or a `Vec` of
/// these, each of which gets a socket.
///
/// A path that begins with `@` is an error of binding, because names in the abstract namespace are printed
/// like this. Write the path of a file of such a name as `"./@name"`.
///
/// See the [example](Self::unix_addresses).
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no address of a Unix server",
    label = "not a path",
    note = "such as `\"/run/my.sock\"`, a `&Path` or a `UnixAddress`, or a list of them"
)]
pub trait UnixAddresses {
    /// Returns the addresses, each of one socket.
    ///
    /// ```
    /// use socketserver::{UnixAddress, transport::UnixAddresses};
    ///
    /// assert_eq!("/run/my.sock".unix_addresses(), [UnixAddress::Path("/run/my.sock".into())]);
    /// let hidden = UnixAddress::Abstract(b"my".to_vec());
    /// assert_eq!([hidden.clone(), hidden.clone()].unix_addresses(), [hidden.clone(), hidden]);
    /// ```
    fn unix_addresses(&self) -> Vec<UnixAddress>;
}

macro_rules! path {
    ($($path:ty),* $(,)?) => {
        $(impl UnixAddresses for $path {
            fn unix_addresses(&self) -> Vec<UnixAddress> {
                vec![UnixAddress::Path(AsRef::<Path>::as_ref(self).to_owned())]
            }
        })*
    };
}

path!(
    str,
    String,
    Path,
    PathBuf,
    OsStr,
    OsString,
    Box<Path>,
    Cow<'_, OsStr>,
);

impl UnixAddresses for UnixAddress {
    fn unix_addresses(&self) -> Vec<UnixAddress> {
        vec![self.clone()]
    }
}

impl<A: UnixAddresses + ?Sized> UnixAddresses for &A {
    fn unix_addresses(&self) -> Vec<UnixAddress> {
        (**self).unix_addresses()
    }
}

impl<A: UnixAddresses> UnixAddresses for [A] {
    fn unix_addresses(&self) -> Vec<UnixAddress> {
        self.iter().flat_map(A::unix_addresses).collect()
    }
}

impl<A: UnixAddresses, const N: usize> UnixAddresses for [A; N] {
    fn unix_addresses(&self) -> Vec<UnixAddress> {
        self[..].unix_addresses()
    }
}

impl<A: UnixAddresses> UnixAddresses for Vec<A> {
    fn unix_addresses(&self) -> Vec<UnixAddress> {
        self[..].unix_addresses()
    }
}
