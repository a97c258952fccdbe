//! Checks the list of CPython's tests.

use super::*;

/// Returns the names of the tests in this module, except those in `ours`.
fn own_tests(ignored: bool) -> BTreeSet<String> {
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

#[cfg(unix)]
#[test]
fn every_test_of_cpython_is_here() {
    let here = own_tests(false);
    let ignored = own_tests(true);
    for name in CPYTHON {
        assert!(here.contains(name), "{name} is missing");
        assert!(!ignored.contains(name), "{name} is ignored");
    }
    // No other test has a name like CPython's tests.
    let list: BTreeSet<_> = CPYTHON.map(str::to_owned).into();
    assert_eq!(list.len(), CPYTHON.len());
    let with_prefix = here.iter().filter(|name| name.starts_with("test_"));
    assert_eq!(with_prefix.cloned().collect::<BTreeSet<_>>(), list);
}

#[test]
fn the_list_is_that_of_the_installed_python() {
    let Some(Python { version, tests, .. }) = Python::installed() else {
        return;
    };
    let list: BTreeSet<_> = CPYTHON.map(str::to_owned).into();
    match version {
        _ if tests.is_empty() => {
            eprintln!("not compared: this Python is installed without its tests")
        }
        // These versions have the same 27 tests.
        (3, 11..=15) => assert_eq!(tests, list, "Python {version:?}"),
        _ => eprintln!(
            "Python {version:?} has these additional tests: {:?}",
            tests.difference(&list).collect::<Vec<_>>()
        ),
    }
}
