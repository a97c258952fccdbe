//! Normalizes the stderr output of servers, as the top of `mod.rs` describes.

use crate::differential::play::Language;

/// Beginning of a report, since Python 3.9 and before.
const HEADER: &str = "Exception occurred during processing of request from ";
const OLD_HEADER: &str = "Exception happened during processing of request from ";

/// The stages of a request whose names begin a line of the crate's reports.
const STAGES: [&str; 7] = [
    "verify_request",
    "process_request",
    "request_handler",
    "setup",
    "handle",
    "finish",
    "the reply",
];

/// Returns the lines of stderr, with one line for each report of `handle_error`.
pub(crate) fn errors(stderr: &str, language: Language) -> Vec<String> {
    let reported = match language {
        Language::Python => python_errors,
        Language::Rust => rust_errors,
    };
    let dashes = "-".repeat(40);
    let mut seen = Vec::new();
    let mut lines = stderr.lines().peekable();
    while let Some(line) = lines.next() {
        if line == dashes
            && lines
                .peek()
                .is_some_and(|next| reported_client(next).is_some())
        {
            let from = lines.next().and_then(reported_client).unwrap_or_default();
            let mut complete = false;
            let body = lines.by_ref().take_while(|line| {
                complete = *line == dashes;
                !complete
            });
            let body: Vec<_> = body.collect();
            let errors = reported(&body).into_iter();
            let errors: Vec<_> = errors.map(|error| error.with_stage()).collect();
            seen.push(format!("from {from}: {}", errors.join("; ")));
            if !complete {
                seen.push("the report has no end".into());
            }
        } else if is_traceback(line) {
            // A traceback outside a report ends the program, so its output ends here too.
            let body: Vec<_> = std::iter::once(line).chain(lines.by_ref()).collect();
            for error in python_errors(&body) {
                seen.push(format!("uncaught: {}", error.text));
            }
        } else if let Some(error) = line.strip_prefix("Error: ") {
            seen.push(format!("uncaught: {error}"));
        } else {
            seen.push(line.to_owned());
        }
    }
    seen
}

/// Returns the client address in the first line of a report.
fn reported_client(line: &str) -> Option<&str> {
    line.strip_prefix(HEADER).or(line.strip_prefix(OLD_HEADER))
}

struct Reported {
    stage: Option<String>,
    text: String,
}

impl Reported {
    fn with_stage(self) -> String {
        format!("{}: {}", self.stage.as_deref().unwrap_or("?"), self.text)
    }
}

fn is_traceback(line: &str) -> bool {
    line == "Traceback (most recent call last):"
}

/// Returns the errors of a traceback, in the order in which they occurred.
fn python_errors(lines: &[&str]) -> Vec<Reported> {
    let mut errors: Vec<Reported> = Vec::new();
    let mut frames = Vec::new();
    let mut caused = false;
    for line in lines {
        if is_traceback(line) {
            frames.clear();
        } else if let Some(frame) = line.strip_prefix("  File ") {
            frames.push(frame);
        } else if line.starts_with("The above exception was the direct cause") {
            caused = true;
        } else if !(line.is_empty() || line.starts_with(' ') || line.starts_with("During ")) {
            let text = line.split_once(": ").map_or(*line, |(_type, text)| text);
            let mut text = text.to_owned();
            if std::mem::take(&mut caused) {
                text = format!("{text} <- {}", errors.pop().expect("the cause").text);
            }
            let stage = stage_of(&frames);
            errors.push(Reported { stage, text });
        }
    }
    errors
}

/// Returns the stage in which an exception was raised, from the functions in its traceback.
fn stage_of(frames: &[&str]) -> Option<String> {
    let is_in = |function: &str| {
        let end = format!("in {function}");
        move |frame: &&str| frame.ends_with(&end) && frame.contains("socketserver.py")
    };
    // The handler's constructor calls its stages.
    if let Some(constructor) = frames.iter().position(is_in("__init__")) {
        let stage = frames.get(constructor + 1)?;
        return Some(stage.rsplit(' ').next()?.to_owned());
    }
    let passed = |function| frames.iter().any(is_in(function));
    if passed("finish_request") {
        Some("request_handler".into())
    } else if passed("_handle_request_noblock") {
        Some("process_request".into())
    } else {
        None
    }
}

/// Returns the errors of the text that the crate writes in place of a traceback.
fn rust_errors(lines: &[&str]) -> Vec<Reported> {
    let mut errors: Vec<Reported> = Vec::new();
    for line in lines {
        let line = line
            .strip_prefix("during handling of this error, ")
            .unwrap_or(line);
        let stage = STAGES.into_iter().find_map(|stage| {
            let rest = line.strip_prefix(stage)?;
            let text = rest
                .strip_prefix(" failed: ")
                .or(rest.strip_prefix(" panicked: "))?;
            Some((stage, text))
        });
        match (stage, errors.last_mut()) {
            (Some((stage, text)), _) => errors.push(Reported {
                stage: Some(stage.to_owned()),
                text: text.to_owned(),
            }),
            (None, Some(last)) => {
                let cause = line.strip_prefix("caused by: ");
                last.text += &cause.map_or(format!("\\n{line}"), |cause| format!(" <- {cause}"));
            }
            (None, None) => errors.push(Reported {
                stage: None,
                text: line.to_string(),
            }),
        }
    }
    errors
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(language: Language, body: &str) -> Vec<String> {
        let dashes = "-".repeat(40);
        let report = format!("{dashes}\n{HEADER}<a>\n{body}{dashes}\nafter\n");
        errors(&report, language)
    }

    #[test]
    fn reports_of_both_languages_look_the_same() {
        let python = report(
            Language::Python,
            "Traceback (most recent call last):
  File \"/usr/lib/python3.11/socketserver.py\", line 755, in __init__
    self.handle()
    ^^^^^^^^^^^^^
  File \"x.py\", line 6, in handle
    raise ValueError(\"first\")
ValueError: first

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File \"/usr/lib/python3.11/socketserver.py\", line 316, in _handle_request_noblock
    self.process_request(request, client_address)
  File \"/usr/lib/python3.11/socketserver.py\", line 757, in __init__
    self.finish()
  File \"x.py\", line 8, in finish
    self.fail()
  File \"x.py\", line 9, in fail
    raise ValueError(\"second: third\")
ValueError: second: third
",
        );
        let rust = report(
            Language::Rust,
            "handle failed: first\nduring handling of this error, finish failed: second: third\n",
        );
        assert_eq!(
            python,
            ["from <a>: handle: first; finish: second: third", "after"]
        );
        assert_eq!(python, rust);
    }

    #[test]
    fn causes_follow_their_errors() {
        let python = report(
            Language::Python,
            "Traceback (most recent call last):
  File \"x.py\", line 6, in handle
KeyError: 'inner'

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File \"socketserver.py\", line 755, in __init__
  File \"x.py\", line 6, in handle
ValueError: outer
",
        );
        assert_eq!(python, ["from <a>: handle: outer <- 'inner'", "after"]);
        assert_eq!(
            report(Language::Rust, "handle failed: outer\ncaused by: 'inner'\n"),
            python
        );
    }

    #[test]
    fn errors_that_end_a_program_are_distinguished_from_reports() {
        let rust = errors("Error: no address\n", Language::Rust);
        assert_eq!(rust, ["uncaught: no address"]);
        for (last, text) in [
            ("OSError: no address", "no address"),
            ("KeyboardInterrupt", "KeyboardInterrupt"),
        ] {
            let frames = "Traceback (most recent call last):\n  File \"x.py\", line 1, in main";
            let python = errors(&format!("{frames}\n{last}\n"), Language::Python);
            assert_eq!(python, [format!("uncaught: {text}")]);
        }
    }
}
