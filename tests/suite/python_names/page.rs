//! The tables of the page.

use std::collections::BTreeSet;

use super::*;

pub(super) fn page() -> String {
    read("docs/reference/python-names.md")
}

/// Row of a reference table.
pub(super) struct Row {
    pub(super) heading: String,
    pub(super) python: String,
    /// Empty if there is no twin.
    pub(super) twins: Vec<String>,
    pub(super) note: String,
}

/// Returns the row of a name in the table of its kind.
pub(super) fn row_of<'a>(rows: &'a [Row], kind: Kind, name: &str) -> Option<&'a Row> {
    let code = format!("`{name}`");
    rows.iter()
        .find(|row| row.heading == kind.heading() && row.python == code)
}

pub(super) fn names() -> impl Iterator<Item = (Kind, &'static str)> {
    NAMES
        .iter()
        .flat_map(|(kind, names)| names.iter().map(|&name| (*kind, name)))
}

pub(super) fn rows(page: &str) -> Vec<Row> {
    let mut heading = "";
    let mut rows = Vec::new();
    for line in page.lines() {
        if let Some(text) = line.strip_prefix("## ") {
            heading = text;
        }
        if !line.starts_with("| ") || line.starts_with("| Python |") || line.starts_with("| ---") {
            continue;
        }
        let cells = cells(line);
        assert_eq!(cells.len(), 3, "a row has three cells: {line}");
        rows.push(Row {
            heading: heading.to_owned(),
            python: cells[0].clone(),
            twins: twins_of(&cells[1], line),
            note: cells[2].clone(),
        });
    }
    rows
}

/// Returns the cells of a table row. Escaped bars do not separate cells.
fn cells(row: &str) -> Vec<String> {
    let inner = row.trim().trim_start_matches('|').trim_end_matches('|');
    let cells = inner.replace("\\|", "\0");
    let cells = cells.split('|');
    cells
        .map(|cell| cell.replace('\0', "|").trim().to_owned())
        .collect()
}

fn twins_of(cell: &str, row: &str) -> Vec<String> {
    if cell == "none" {
        return Vec::new();
    }
    let code = |text: &str| Some(text.strip_prefix('`')?.strip_suffix('`')?.to_owned());
    cell.split(", ")
        .map(|twin| code(twin).unwrap_or_else(|| panic!("not a name in backticks: {twin}: {row}")))
        .collect()
}

/// Returns the anchor that GitHub generates for a heading.
fn anchor(heading: &str) -> String {
    let kept = |c: char| c.is_alphanumeric() || c == ' ' || c == '-' || c == '_';
    let text: String = heading.chars().filter(|&c| kept(c)).collect();
    text.to_lowercase().replace(' ', "-")
}

/// Returns the text below the heading with the anchor `wanted`.
fn section<'a>(page: &'a str, wanted: &str) -> Option<&'a str> {
    let mut parts = page.split("\n#").skip(1);
    parts.find_map(|part| {
        let (heading, text) = part.split_once('\n')?;
        (anchor(heading.trim_start_matches('#').trim()) == wanted).then_some(text)
    })
}

#[test]
fn every_name_has_a_row_and_every_row_a_name() {
    let page = page();
    let rows = rows(&page);
    for (kind, name) in names() {
        assert!(
            row_of(&rows, kind, name).is_some(),
            "{name} has no row in the table \"{}\"",
            kind.heading()
        );
    }
    let kinds: BTreeSet<_> = NAMES.iter().map(|(kind, _)| kind.heading()).collect();
    let listed = rows
        .iter()
        .filter(|row| kinds.contains(&*row.heading))
        .count();
    assert_eq!(
        listed,
        names().count(),
        "a row is duplicate, or its name is not in NAMES"
    );
}

#[test]
fn every_twin_exists_and_is_used() {
    let rows = rows(&page());
    // The twins in the table of `ssl` exist with the feature `tls` only.
    let (of_ssl, others): (Vec<_>, Vec<_>) = rows.iter().partition(|row| row.heading == "`ssl`");
    for row in others {
        for twin in &row.twins {
            assert!(twins::exists(twin), "there is no {twin}: {}", row.python);
        }
    }
    let known: BTreeSet<String> = of_ssl.iter().flat_map(|row| row.twins.clone()).collect();
    assert!(known.len() > 10, "{known:?}");
    #[cfg(feature = "tls")]
    assert_eq!(known, tls::all().collect());
    for twin in twins::all() {
        let used = rows.iter().any(|row| row.twins.contains(&twin));
        assert!(used, "{twin} is in no row");
    }
}

#[test]
fn a_name_without_a_twin_has_a_reason() {
    let page = page();
    let rows = rows(&page);
    for row in rows.iter().filter(|row| row.twins.is_empty()) {
        let name = row.python.trim_matches('`');
        let reason = NO_TWIN.iter().find(|(without, _)| *without == name);
        let (_, anchor) = reason.unwrap_or_else(|| panic!("{name} should have a twin"));
        assert!(
            row.note.contains(&format!("](#{anchor})")),
            "no link to the reason: {name}"
        );
        let text = section(&page, anchor).unwrap_or_else(|| panic!("no section {anchor}"));
        assert!(text.contains(&row.python), "no reason for {name}");
    }
    for (name, _) in NO_TWIN {
        let without = |row: &Row| row.twins.is_empty() && row.python == format!("`{name}`");
        assert!(rows.iter().any(without), "{name} has a twin now");
    }
}
