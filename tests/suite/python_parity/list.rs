//! The list.

use super::*;

/// Tests of the modules with CPython's tests that would run.
fn tests_that_are_here(ignored: bool) -> BTreeSet<String> {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--list", "--format=terse"]);
    if ignored {
        command.arg("--ignored");
    }
    let output = command.stderr(Stdio::inherit()).output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .filter_map(|line| {
            let path = line
                .strip_suffix(": test")?
                .strip_prefix("python_parity::")?;
            let (module, test) = path.split_once("::")?;
            (module != "ours").then(|| test.to_owned())
        })
        .collect()
}

#[test]
fn every_test_of_cpython_is_here() {
    let here = tests_that_are_here(false);
    let ignored = tests_that_are_here(true);
    for name in CPYTHON {
        assert!(here.contains(name), "{name} is missing");
        assert!(!ignored.contains(name), "{name} is ignored");
    }
    // And no other pretends to be one of them.
    let list: BTreeSet<_> = CPYTHON.map(str::to_owned).into();
    assert_eq!(list.len(), CPYTHON.len());
    let pretenders = here.iter().filter(|name| name.starts_with("test_"));
    assert_eq!(pretenders.cloned().collect::<BTreeSet<_>>(), list);
}

#[test]
fn the_list_is_that_of_the_installed_python() {
    let Some(Python { version, tests, .. }) = Python::installed() else {
        return;
    };
    let list: BTreeSet<_> = CPYTHON.map(str::to_owned).into();
    match version {
        _ if tests.is_empty() => eprintln!("not compared: this Python comes without its tests"),
        // They have had the same 27 all the time.
        (3, 11..=15) => assert_eq!(tests, list, "Python {version:?}"),
        _ => eprintln!(
            "Python {version:?} has these more: {:?}",
            tests.difference(&list).collect::<Vec<_>>()
        ),
    }
}
