use std::{fs, os::unix::fs::symlink};

use super::*;

fn place() -> (tempfile::TempDir, Arc<Rules>) {
    let place = tempfile::tempdir().unwrap();
    for name in [".tau", "data", "data/.git", "home"] {
        fs::create_dir(place.path().join(name)).unwrap();
    }
    for file in [
        ".tau/a",
        "data/.git/hook",
        "data/free.txt",
        "home/tau.db",
        "server.pem",
    ] {
        fs::write(place.path().join(file), "as it was").unwrap();
    }
    symlink("data", place.path().join("link")).unwrap();
    symlink(".tau", place.path().join("data/out")).unwrap();
    symlink("../.tau", place.path().join("data/up")).unwrap();
    symlink("home", place.path().join("to-home")).unwrap();
    fs::hard_link(place.path().join(".tau/a"), place.path().join("data/hard")).unwrap();
    let rules = Rules {
        paths: Paths {
            protect: vec!["*.pem".into()],
            ..Paths::default()
        },
        hidden: vec!["home".into()],
    };
    (place, Arc::new(rules))
}

fn writing() -> OpenFlags {
    OpenFlags {
        write: true,
        create: true,
        follow: true,
        ..OpenFlags::default()
    }
}

fn reading() -> OpenFlags {
    OpenFlags {
        read: true,
        follow: true,
        ..OpenFlags::default()
    }
}

#[test]
fn what_is_protected_is_not_changed_whatever_leads_there() {
    let (place, rules) = place();
    let root = Kept::open(place.path().to_str().unwrap(), ".", rules).unwrap();
    for path in [
        ".tau/a",
        ".TAU/a",
        "data/.git/hook",
        "server.pem",
        "data/up/a",
        "link/.git/hook",
        "link/free.txt",
        "data/hard",
        "home/tau.db",
        "./.tau/a",
        "data/../.tau/a",
    ] {
        assert!(root.open(path, writing()).is_err(), "{path}");
        assert!(
            root.set_times(path, true, Times::default()).is_err() || path == "data/hard",
            "{path}"
        );
    }
    for path in [".tau/a", "server.pem", "data/.git/hook", "link/free.txt"] {
        assert!(root.remove_file(path).is_err(), "{path}");
        assert!(root.rename(path, &root, "gone").is_err(), "{path}");
        assert!(root.rename("data/free.txt", &root, path).is_err(), "{path}");
        assert!(root.link(path, &root, "other").is_err(), "{path}");
    }
    assert!(root.rename(".tau", &root, "gone").is_err());
    assert!(root.create_directory(".tau/new").is_err());
    assert!(root.create_directory(".git").is_err());
    for file in [
        ".tau/a",
        "data/.git/hook",
        "data/free.txt",
        "home/tau.db",
        "server.pem",
    ] {
        let text = fs::read_to_string(place.path().join(file)).unwrap();
        assert_eq!(text, "as it was", "{file}");
    }
    assert!(root.open("data/free.txt", writing()).is_ok());
    assert!(root.open("data/new.txt", writing()).is_ok());
}

#[test]
fn a_handle_on_a_folder_knows_where_it_is() {
    let (place, rules) = place();
    let workspace = place.path().to_str().unwrap();
    let data = Kept::open(workspace, "data", Arc::clone(&rules)).unwrap();
    assert!(data.open(".git/hook", writing()).is_err());
    assert!(data.open("free.txt", writing()).is_ok());
    assert!(data.open("../.tau/a", reading()).is_err());
    let root = Kept::open(workspace, ".", Arc::clone(&rules)).unwrap();
    match root.open("data", folder()) {
        Ok(Opened::Directory(inner)) => assert!(inner.open(".git/hook", writing()).is_err()),
        _ => panic!("data is a directory"),
    }
    // Through a link it would be another place than it says.
    for link in ["link", "data/up", "to-home"] {
        assert!(root.open(link, folder()).is_err(), "{link}");
    }
    assert!(Kept::open(workspace, "link", rules).is_err());
}

#[test]
fn what_is_hidden_is_not_there() {
    let (place, rules) = place();
    let root = Kept::open(place.path().to_str().unwrap(), ".", rules).unwrap();
    for path in ["home/tau.db", "home", "to-home/tau.db", "./home/tau.db"] {
        assert!(root.open(path, reading()).is_err(), "{path}");
        assert!(root.stat(path, true).is_err(), "{path}");
    }
    let names: Vec<String> = root
        .entries()
        .unwrap()
        .into_iter()
        .map(|entry| entry.name)
        .collect();
    assert!(!names.contains(&"home".to_owned()), "{names:?}");
    assert!(root.open(".tau/a", reading()).is_ok());
}
