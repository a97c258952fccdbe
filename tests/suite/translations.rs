//! Checks the Chinese pages against the English ones: code blocks, sources, links and length. `.ci/translations.py`
//! prints which English sections have changed since they were translated.

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Adds the pages in a directory and below it, except those of the directory `without`.
fn pages_under(directory: &Path, without: &Path, pages: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && path != without {
            pages_under(&path, without, pages);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            pages.push(path);
        }
    }
}

fn english() -> Vec<PathBuf> {
    let mut pages = vec![root().join("README.md")];
    pages_under(&root().join("docs"), &root().join("docs/zh"), &mut pages);
    pages
}

fn chinese() -> Vec<PathBuf> {
    let mut pages = vec![root().join("README.zh-CN.md")];
    pages_under(&root().join("docs/zh"), Path::new(""), &mut pages);
    pages
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Returns the code blocks of a page, each with its fences.
fn blocks(page: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut open: Option<String> = None;
    for line in page.lines() {
        let fence = line.trim_start().starts_with("```");
        match open.as_mut() {
            None if fence => open = Some(format!("{line}\n")),
            None => {}
            Some(block) => {
                block.push_str(line);
                block.push('\n');
                if fence {
                    blocks.extend(open.take());
                }
            }
        }
    }
    assert_eq!(open, None, "a block does not end");
    blocks
}

/// Returns the headings of a page without their level.
fn headings(page: &str) -> Vec<String> {
    let mut page = page.to_owned();
    for block in blocks(&page) {
        page = page.replace(&block, "");
    }
    let lines = page.lines().filter(|line| line.starts_with('#'));
    lines
        .map(|line| line.trim_start_matches('#').trim().to_owned())
        .collect()
}

/// Returns the anchors that GitHub generates for the headings of a page.
fn anchors(page: &str) -> Vec<String> {
    let kept = |c: &char| c.is_alphanumeric() || " -_".contains(*c);
    headings(page)
        .iter()
        .map(|heading| heading.chars().filter(kept).collect::<String>())
        .map(|heading| heading.to_lowercase().replace(' ', "-"))
        .collect()
}

/// Returns the section and the hash that each comment `<!-- English: FILE, "SECTION", text HASH -->` names.
fn sources(page: &str) -> Vec<(String, String)> {
    let comments = page
        .lines()
        .map_while(|line| line.strip_prefix("<!-- English: "));
    comments
        .map(|comment| {
            let (_, rest) = comment.split_once(", \"").expect(comment);
            let (section, rest) = rest.split_once("\", text ").expect(comment);
            let hash = rest.strip_suffix(" -->").expect(comment);
            (section.to_owned(), hash.to_owned())
        })
        .collect()
}

#[test]
fn code_blocks_are_those_of_english_pages() {
    let known: Vec<_> = english()
        .iter()
        .flat_map(|path| blocks(&read(path)))
        .collect();
    let mut number = 0;
    for path in chinese() {
        for block in blocks(&read(&path)) {
            assert!(
                known.contains(&block),
                "{}: no English page has this block (.ci/translations.py --blocks copies changed ones):\n{block}",
                path.display()
            );
            number += 1;
        }
    }
    assert!(number > 0);
}

#[test]
fn pages_name_the_sections_that_they_translate() {
    let known: Vec<_> = english()
        .iter()
        .flat_map(|path| headings(&read(path)))
        .collect();
    for path in chinese() {
        if path.ends_with("SUMMARY.md") {
            continue; // the contents of the site
        }
        let sources = sources(&read(&path));
        assert!(!sources.is_empty(), "{}: no source", path.display());
        for (section, hash) in sources {
            assert!(
                known.contains(&section),
                "{}: no English page has the section {section}",
                path.display()
            );
            let is_hash = hash.len() == 12 && hash.bytes().all(|digit| digit.is_ascii_hexdigit());
            assert!(is_hash, "{}: {hash}", path.display());
        }
    }
}

#[test]
fn links_have_a_target() {
    for path in chinese() {
        let page = read(&path);
        let targets = page.split("](").skip(1);
        for target in targets.map(|rest| rest.split(')').next().unwrap()) {
            if target.contains("://") {
                continue; // another site's page
            }
            let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
            let linked = if file.is_empty() {
                path.clone()
            } else {
                path.parent().unwrap().join(file)
            };
            assert!(linked.exists(), "{}: no {target}", path.display());
            let found =
                anchor.is_empty() || anchors(&read(&linked)).iter().any(|name| name == anchor);
            assert!(
                found,
                "{}: no {target} (run .ci/translations.py --links)",
                path.display()
            );
        }
    }
}

#[test]
fn pages_are_short() {
    for path in chinese() {
        let length = read(&path).lines().count();
        assert!(length <= 400, "{}: {length} lines", path.display());
    }
}
