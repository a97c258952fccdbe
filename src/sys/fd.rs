//! Descriptors. On Windows, these names stand for the types and traits of sockets.

#[cfg(windows)]
pub(crate) use rustix::fd::AsSocket;
pub(crate) use rustix::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

/// Implements [`AsFd`] by a field; on Windows `AsSocket`, of which `AsFd` follows there.
macro_rules! impl_as_fd {
    ($(#[$doc:meta])* $({$($generics:tt)*})? $type:ty, $field:ident $(($($none:tt)*))?) => {
        $(#[$doc])*
        #[cfg(unix)]
        impl $(<$($generics)*>)? $crate::sys::fd::AsFd for $type {
            fn as_fd(&self) -> $crate::sys::fd::BorrowedFd<'_> {
                self.$field $(($($none)*))? .as_fd()
            }
        }

        $(#[$doc])*
        #[cfg(windows)]
        impl $(<$($generics)*>)? $crate::sys::fd::AsSocket for $type {
            fn as_socket(&self) -> $crate::sys::fd::BorrowedFd<'_> {
                #[allow(unused_imports)] // sockets of `std` have the method themselves
                use $crate::sys::fd::AsFd as _;
                self.$field $(($($none)*))? .as_fd()
            }
        }
    };
}

pub(crate) use impl_as_fd;
