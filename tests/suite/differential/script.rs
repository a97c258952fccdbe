//! Scripts: reads them from the docstring of the Python server, and checks the result of each step.

use std::fmt::Write;
use std::fs;
use std::path::Path;

/// Result of a step, line by line.
pub(crate) type Seen = Vec<String>;

#[derive(Debug)]
pub(crate) struct Script {
    /// Strategies to run; `None` is the strategy that the files of the pair name.
    pub(crate) strategies: Vec<Option<String>>,
    pub(crate) needs_v6: bool,
    pub(crate) steps: Vec<Step>,
}

/// `SUBJECT VERB ARGUMENT`, and the declared difference between the two languages.
#[derive(Debug, Default)]
pub(crate) struct Step {
    /// `server`, or the name of a client.
    pub(crate) subject: String,
    pub(crate) verb: String,
    pub(crate) argument: String,
    python: Seen,
    rust: Seen,
}

impl Step {
    fn parse(line: &str) -> Self {
        let mut words = line.splitn(3, ' ').map(str::to_owned);
        let mut word = || words.next().unwrap_or_default();
        Self {
            subject: word(),
            verb: word(),
            argument: word(),
            ..Self::default()
        }
    }

    fn is(&self, line: &str) -> bool {
        line == format!("{} {}", self.subject, self.verb)
    }

    /// Returns the line of the script.
    pub(crate) fn text(&self) -> String {
        let line = format!("{} {} {}", self.subject, self.verb, self.argument);
        line.trim_end().to_owned()
    }

    fn differs(&self) -> bool {
        !(self.python.is_empty() && self.rust.is_empty())
    }

    /// Returns the problem with two results, if any.
    fn check(&self, python: &Seen, rust: &Seen) -> Option<&'static str> {
        if !self.differs() {
            (python != rust).then_some("the two differ")
        } else if python == rust {
            Some("a difference is declared, but the two agree")
        } else {
            (!matches(python, &self.python) || !matches(rust, &self.rust))
                .then_some("the two differ from the declared difference")
        }
    }
}

/// Returns whether a result matches its declaration. `...` at the end of a line matches any text.
fn matches(seen: &Seen, expected: &Seen) -> bool {
    let matches_line = |(seen, expected): (&String, &String)| match expected.strip_suffix("...") {
        Some(beginning) => seen.starts_with(beginning),
        None => seen == expected,
    };
    seen.len() == expected.len() && seen.iter().zip(expected).all(matches_line)
}

impl Script {
    /// Reads the script in the docstring of a Python program.
    pub(crate) fn of(program: &Path) -> Self {
        let source = fs::read_to_string(program)
            .unwrap_or_else(|error| panic!("{}: {error}", program.display()));
        let docstring = source.split("\"\"\"").nth(1);
        let docstring = docstring.unwrap_or_else(|| panic!("{}: no script", program.display()));
        let (_what, script) = docstring.split_once("\n\n").unwrap_or_else(|| {
            panic!("{}: no script below the first paragraph", program.display())
        });
        Self::parse(script)
    }

    fn parse(text: &str) -> Self {
        let mut strategies = vec![None];
        let mut needs_v6 = false;
        let mut steps: Vec<Step> = Vec::new();
        for line in text.lines() {
            let expected = |steps: &mut Vec<Step>, seen: &str, of: fn(&mut Step) -> &mut Seen| {
                let step = steps.last_mut().expect("a difference belongs to a step");
                of(step).push(seen.trim().to_owned());
            };
            if line.trim().is_empty() || line.starts_with('#') {
            } else if line == "needs: IPv6" {
                needs_v6 = true;
            } else if let Some(names) = line.strip_prefix("strategies: ") {
                strategies = names.split(' ').map(|name| Some(name.to_owned())).collect();
            } else if let Some(seen) = line.strip_prefix("    python:") {
                expected(&mut steps, seen, |step| &mut step.python);
            } else if let Some(seen) = line.strip_prefix("    rust:") {
                expected(&mut steps, seen, |step| &mut step.rust);
            } else {
                assert!(!line.starts_with(' '), "not a line of a script: {line:?}");
                steps.push(Step::parse(line));
            }
        }
        append_missing_end(&mut steps);
        Self {
            strategies,
            needs_v6,
            steps,
        }
    }

    /// Checks the results of all steps. The error shows the whole transcript.
    pub(crate) fn check(&self, python: &[Seen], rust: &[Seen]) -> Result<(), String> {
        let mut transcript = String::new();
        let mut is_correct = true;
        for ((step, python), rust) in self.steps.iter().zip(python).zip(rust) {
            let problem = step.check(python, rust);
            is_correct &= problem.is_none();
            let mut note = |line: &str| {
                writeln!(transcript, "{line}").expect("writing to a String cannot fail")
            };
            note(&step.text());
            if python == rust {
                python.iter().for_each(|line| note(&format!("    {line}")));
            } else {
                python
                    .iter()
                    .for_each(|line| note(&format!("    python: {line}")));
                rust.iter()
                    .for_each(|line| note(&format!("    rust: {line}")));
            }
            if let Some(problem) = problem {
                note(&format!("^^^ {problem}"));
            }
        }
        if is_correct { Ok(()) } else { Err(transcript) }
    }
}

/// Appends the steps with which every script ends, if they are missing.
fn append_missing_end(steps: &mut Vec<Step>) {
    if !steps.iter().any(|step| step.is("server ends")) {
        // The output is read after the end of the process.
        let end = steps
            .iter()
            .position(|step| step.is("server stdout") || step.is("server stderr"))
            .unwrap_or(steps.len());
        steps.insert(end, Step::parse("server ends"));
        steps.insert(end, Step::parse("server SIGTERM"));
    }
    for stream in ["server stdout", "server stderr"] {
        if !steps.iter().any(|step| step.is(stream)) {
            steps.push(Step::parse(stream));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(lines: &[&str]) -> Seen {
        lines.iter().map(|&line| line.to_owned()).collect()
    }

    #[test]
    fn a_script_is_steps_and_differences() {
        let script = Script::parse(
            "strategies: plain forking\n\n# A comment.\na send \"x  y\"\na packet\n    \
             python: b\"\"\n    rust: nothing\n",
        );
        assert_eq!(
            script.strategies,
            [Some("plain".into()), Some("forking".into())]
        );
        let lines: Vec<_> = script.steps.iter().map(Step::text).collect();
        assert_eq!(
            lines,
            [
                "a send \"x  y\"",
                "a packet",
                "server SIGTERM",
                "server ends",
                "server stdout",
                "server stderr"
            ]
        );
        assert_eq!(script.steps[1].python, ["b\"\""]);
        assert_eq!(script.steps[1].rust, ["nothing"]);
    }

    #[test]
    fn steps_at_the_end_are_not_repeated() {
        let script = Script::parse("server stderr\n    python: x\n    rust: nothing\n");
        let lines: Vec<_> = script.steps.iter().map(Step::text).collect();
        assert_eq!(
            lines,
            [
                "server SIGTERM",
                "server ends",
                "server stderr",
                "server stdout"
            ]
        );
    }

    #[test]
    fn a_difference_must_be_declared() {
        let step = Step::parse("a line");
        assert_eq!(step.check(&seen(&["x"]), &seen(&["x"])), None);
        assert!(step.check(&seen(&["x"]), &seen(&["y"])).is_some());
    }

    #[test]
    fn a_declared_difference_must_exist() {
        let step = Step {
            python: seen(&["x"]),
            rust: seen(&["y"]),
            ..Step::parse("a line")
        };
        assert_eq!(step.check(&seen(&["x"]), &seen(&["y"])), None);
        for (python, rust) in [("x", "x"), ("y", "y"), ("y", "x"), ("x", "z"), ("z", "y")] {
            assert!(step.check(&seen(&[python]), &seen(&[rust])).is_some());
        }
        // Equal results are an error even if they match the declaration.
        let wrong = Step {
            python: seen(&["x"]),
            rust: seen(&["x"]),
            ..Step::parse("a line")
        };
        assert!(wrong.check(&seen(&["x"]), &seen(&["x"])).is_some());
    }

    #[test]
    fn a_failure_shows_the_whole_transcript() {
        let script = Script::parse("a line\nserver ends\n");
        let python = [
            seen(&["x"]),
            seen(&["exit 0"]),
            seen(&["nothing"]),
            seen(&["nothing"]),
        ];
        let mut rust = python.clone();
        assert_eq!(script.check(&python, &rust), Ok(()));
        rust[1] = seen(&["exit 1"]);
        let problem = script.check(&python, &rust).unwrap_err();
        assert!(
            problem.starts_with(
                "a line\n    x\nserver ends\n    python: exit 0\n    rust: exit 1\n^^^ the two differ\n"
            ),
            "{problem}"
        );
    }
}
