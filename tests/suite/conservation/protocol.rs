//! The protocol of the handlers, and the answers that it implies.

use socketserver::{Request, Result};

pub(crate) const FLOOD_SIZE: usize = 4 << 20;

/// Answers each line. At the end of the input, and after `quit`, answers with the number of lines.
pub(crate) fn answer_lines<R: Request>(request: &mut R) -> Result {
    let mut lines = 0;
    while let Some(line) = request.next_line(1000)? {
        lines += 1;
        match &line[..] {
            b"fail\n" => return Err("on purpose".into()),
            b"panic\n" => panic!("on purpose"),
            b"quit\n" => break,
            b"stop\n" => {
                request.server().shutdown();
                request.send_all("stopped\n")?;
            }
            b"flood\n" => request.send_all(flood())?,
            line => request.send_all(line)?,
        }
    }
    Ok(request.send_all(final_answer(lines))?)
}

fn flood() -> Vec<u8> {
    vec![b'x'; FLOOD_SIZE]
}

fn final_answer(lines: usize) -> String {
    format!("end after {lines}\n")
}

/// State of a handler after it has read all its input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HandlerState {
    /// The handler waits for more input.
    Reading,
    Completed,
    Failed,
}

/// The result of a handler that reads all data of a client.
#[derive(Debug)]
pub(crate) struct Expected {
    pub(crate) answers: Vec<u8>,
    pub(crate) state: HandlerState,
    /// Number of bytes that the handler never reads.
    pub(crate) unread: usize,
}

impl Expected {
    /// `ended`: whether the client sends no more.
    pub(crate) fn of(sent: &[u8], ended: bool) -> Self {
        let mut answers = Vec::new();
        let mut read = 0;
        let mut lines = 0;
        let mut state = HandlerState::Reading;
        for line in sent.split_inclusive(|&byte| byte == b'\n') {
            if !line.ends_with(b"\n") && !ended {
                break;
            }
            read += line.len();
            lines += 1;
            match line {
                b"fail\n" | b"panic\n" => state = HandlerState::Failed,
                b"quit\n" => state = HandlerState::Completed,
                b"stop\n" => answers.extend(b"stopped\n"),
                b"flood\n" => answers.extend(flood()),
                line => answers.extend(line),
            }
            if state != HandlerState::Reading {
                break;
            }
        }
        if state == HandlerState::Reading && ended {
            state = HandlerState::Completed;
        }
        if state == HandlerState::Completed {
            answers.extend(final_answer(lines).into_bytes());
        }
        // A handler that waits has received incomplete lines too.
        let unread = if state == HandlerState::Reading {
            0
        } else {
            sent.len() - read
        };
        Self {
            answers,
            state,
            unread,
        }
    }
}
