//! Comparisons with the installed Python.

use super::page::names;
use super::*;

/// Runs a script of `tests/python/` with `input` as standard input. Returns its output.
fn python(script: &str, input: &str) -> String {
    let mut program = Program::python(script, &[""; 0]);
    program.type_in(input);
    program.finish().success().to_owned()
}

#[test]
fn no_name_of_the_installed_python_is_missing() {
    if !python_is_there() {
        return;
    }
    let listed: Vec<_> = names().collect();
    let installed = python("tests/python/names.py", "");
    for line in installed.lines() {
        match line.split_once('.') {
            None => assert!(
                listed.contains(&(Kind::Class, line)),
                "a name of the module is missing: {line}"
            ),
            Some((class, name)) => assert!(
                Kind::of_members(class)
                    .iter()
                    .any(|&kind| listed.contains(&(kind, name))),
                "a name of a class is missing: {line}"
            ),
        }
    }
    // The script has listed names.
    assert!(installed.lines().any(|line| line == "TCPServer"));
    assert!(
        installed
            .lines()
            .any(|line| line == "StreamRequestHandler.rfile")
    );
}

/// Returns the Python blocks of a page, each with the number of its first line.
fn python_blocks(page: &str) -> Vec<(usize, String)> {
    let mut blocks = Vec::new();
    let mut lines = page.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        if line == "```python" {
            let block = lines.by_ref().map(|(_, line)| line);
            let block: Vec<_> = block.take_while(|line| *line != "```").collect();
            blocks.push((number + 2, block.join("\n")));
        }
    }
    blocks
}

#[test]
fn python_code_blocks_are_valid_python() {
    if !python_is_there() {
        return;
    }
    let mut pages = vec!["README.md".to_owned()];
    pages.extend(crate::docs::pages());
    let mut input = String::new();
    for page in &pages {
        for (line, block) in python_blocks(&read(page)) {
            input.push_str(&format!("{page}:{line}\0{block}\0"));
        }
    }
    assert!(!input.is_empty());
    assert_eq!(python("tests/python/parse.py", &input), "");
}
