//! What a handler answers, and what it should have answered.

use socketserver::{Request, Result};

pub(crate) const FLOOD: usize = 4 << 20;

/// Answers each line, and says how many there were.
pub(crate) fn talk<R: Request>(request: &mut R) -> Result {
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
    Ok(request.send_all(bye(lines))?)
}

fn flood() -> Vec<u8> {
    vec![b'x'; FLOOD]
}

fn bye(lines: usize) -> String {
    format!("bye after {lines}\n")
}

/// What becomes of a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// The handler waits for more.
    Open,
    Completes,
    Fails,
}

/// The answers to what a client has sent, as a whole.
#[derive(Debug)]
pub(crate) struct Script {
    pub(crate) answers: Vec<u8>,
    pub(crate) fate: Fate,
    /// How much of it is never read.
    pub(crate) unread: usize,
}

impl Script {
    /// `over`: the client sends no more.
    pub(crate) fn of(sent: &[u8], over: bool) -> Self {
        let mut answers = Vec::new();
        let mut read = 0;
        let mut lines = 0;
        let mut fate = Fate::Open;
        for line in sent.split_inclusive(|&byte| byte == b'\n') {
            if !line.ends_with(b"\n") && !over {
                break;
            }
            read += line.len();
            lines += 1;
            match line {
                b"fail\n" | b"panic\n" => fate = Fate::Fails,
                b"quit\n" => fate = Fate::Completes,
                b"stop\n" => answers.extend(b"stopped\n"),
                b"flood\n" => answers.extend(flood()),
                line => answers.extend(line),
            }
            if fate != Fate::Open {
                break;
            }
        }
        if fate == Fate::Open && over {
            fate = Fate::Completes;
        }
        if fate == Fate::Completes {
            answers.extend(bye(lines).into_bytes());
        }
        // A part of a line may be received, and not be answered.
        let unread = if fate == Fate::Open {
            0
        } else {
            sent.len() - read
        };
        Self {
            answers,
            fate,
            unread,
        }
    }
}
