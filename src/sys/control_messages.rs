//! Control messages of datagrams: what else a system call reports about a datagram, or is told about it.
//!
//! `rustix` and `socket2` pass on their bytes and do not know the messages that this crate needs. `nix` knows them and
//! allocates memory for each datagram.

use std::mem::MaybeUninit;
use std::{ptr, slice};

use nix::libc;

/// Memory for the control messages of one datagram, aligned as their headers are.
#[repr(C)]
pub(super) struct Control {
    aligned: [libc::cmsghdr; 0],
    /// More than the destination needs, because a program can enable other messages, which come first.
    bytes: [MaybeUninit<u8>; 256],
}

impl Control {
    pub(super) const fn new() -> Self {
        Self {
            aligned: [],
            bytes: [MaybeUninit::uninit(); 256],
        }
    }

    pub(super) fn as_mut_bytes(&mut self) -> &mut [MaybeUninit<u8>] {
        &mut self.bytes
    }

    /// Returns the first `size` bytes.
    ///
    /// # Safety
    ///
    /// They must be initialised.
    pub(super) unsafe fn initialised(&self, size: usize) -> &[u8] {
        // SAFETY: the caller promises that these bytes are initialised. The slice checks the size.
        unsafe { slice::from_raw_parts(self.bytes[..size].as_ptr().cast(), size) }
    }

    /// Writes one message and returns its bytes, without the padding behind it: Linux copies up to 36 bytes, as
    /// many as `IPV6_PKTINFO` needs, without allocating memory. `T` consists of integers.
    pub(super) fn write<T: Copy>(&mut self, level: i32, kind: i32, content: T) -> &[u8] {
        // SAFETY: this function only computes.
        let size = unsafe { libc::CMSG_LEN(size_of::<T>() as libc::c_uint) } as usize;
        self.bytes[..size].fill(MaybeUninit::new(0));
        let header = self.bytes.as_mut_ptr().cast::<libc::cmsghdr>();
        // SAFETY: the memory has the alignment of a header, and `size` zeroed bytes, which is enough
        // for a header and the content behind it.
        unsafe {
            (*header).cmsg_len = size as _;
            (*header).cmsg_level = level;
            (*header).cmsg_type = kind;
            libc::CMSG_DATA(header).cast::<T>().write_unaligned(content);
            self.initialised(size)
        }
    }
}

/// Control message.
pub(super) struct Message<'a> {
    pub(super) level: i32,
    pub(super) kind: i32,
    bytes: &'a [u8],
}

impl Message<'_> {
    /// The content as a structure of the C library; `None` if the message is too short.
    ///
    /// # Safety
    ///
    /// `T` must consist of integers.
    pub(super) unsafe fn content<T: Copy>(&self) -> Option<T> {
        let bytes = self.bytes.get(..size_of::<T>())?;
        // SAFETY: there are enough bytes, and the caller promises that every content is valid.
        Some(unsafe { ptr::read_unaligned(bytes.as_ptr().cast()) })
    }
}

/// Returns the messages in the memory that a call has written. The last one may be truncated.
pub(super) fn messages(mut control: &[u8]) -> impl Iterator<Item = Message<'_>> {
    std::iter::from_fn(move || {
        let header = control.get(..size_of::<libc::cmsghdr>())?;
        // SAFETY: there are enough bytes for a header, which consists of integers.
        let header: libc::cmsghdr = unsafe { ptr::read_unaligned(header.as_ptr().cast()) };
        // SAFETY: these functions only compute.
        let begin = unsafe { libc::CMSG_LEN(0) } as usize;
        let end = (header.cmsg_len as usize).min(control.len());
        let bytes = control.get(begin..end)?;
        // SAFETY: as above.
        let space = unsafe { libc::CMSG_SPACE(bytes.len() as libc::c_uint) } as usize;
        control = control.get(space..).unwrap_or_default();
        Some(Message {
            level: header.cmsg_level,
            kind: header.cmsg_type,
            bytes,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_read_up_to_the_first_truncated_one() {
        let mut control = Control::new();
        let mut bytes = control.write(1, 2, [3_u8; 5]).to_vec();
        let first = bytes.len();
        bytes.resize(first.next_multiple_of(align_of::<libc::cmsghdr>()), 0);
        bytes.extend_from_slice(control.write(4, 5, 6_u64));
        let read = |size: usize| -> Vec<_> {
            let messages = messages(&bytes[..size]);
            messages
                .map(|message| (message.level, message.kind))
                .collect()
        };
        assert_eq!(read(bytes.len()), [(1, 2), (4, 5)]);
        assert_eq!(read(first), [(1, 2)]);
        assert_eq!(read(first + 1), [(1, 2)]);
        assert_eq!(read(1), []);
        assert_eq!(read(0), []);

        let contents: Vec<_> = messages(&bytes).collect();
        let truncated = messages(&bytes[..bytes.len() - 1]).last().unwrap();
        // SAFETY: all these types are integers or arrays of integers.
        unsafe {
            assert_eq!(contents[0].content(), Some([3_u8; 5]));
            assert_eq!(contents[1].content(), Some(6_u64));
            assert_eq!(contents[1].content::<[u64; 2]>(), None);
            assert_eq!(truncated.content::<u64>(), None);
        }
    }
}
