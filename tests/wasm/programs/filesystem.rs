//! What the standard library makes of directories: each line of output is something that must be the
//! same on a disk and in memory.

use std::{fs, io::ErrorKind};

/// What a deed came to: `ok`, or the kind of the error.
fn came<T>(deed: std::io::Result<T>) -> String {
    match deed {
        Ok(_) => "ok".to_owned(),
        Err(error) => format!("{:?}", error.kind()),
    }
}

fn main() {
    let at = |name: &str| format!("/data/{name}");
    let show = |what: &str, came: String| println!("{what}: {came}");
    let make = |name: &str| fs::create_dir(at(name)).unwrap();
    let write = |name: &str| fs::write(at(name), name).unwrap();

    make("source");
    show(
        "rename a directory",
        came(fs::rename(at("source"), at("target"))),
    );
    show("what it was called", came(fs::metadata(at("source"))));
    make("source");
    show(
        "onto an empty directory",
        came(fs::rename(at("source"), at("target"))),
    );
    make("source");
    write("target/file");
    show(
        "onto a full directory",
        came(fs::rename(at("source"), at("target"))),
    );
    show(
        "onto a file",
        came(fs::rename(at("source"), at("target/file"))),
    );
    show(
        "into itself",
        came(fs::rename(at("target"), at("target/below"))),
    );
    show(
        "a file onto a directory",
        came(fs::rename(at("target/file"), at("source"))),
    );
    write("other");
    show(
        "a file onto a file",
        came(fs::rename(at("other"), at("target/file"))),
    );
    println!("it is: {:?}", fs::read_to_string(at("target/file")));

    show(
        "remove a full directory",
        came(fs::remove_dir(at("target"))),
    );
    show(
        "remove a directory as a file",
        came(fs::remove_file(at("source"))),
    );
    show(
        "remove a file as a directory",
        came(fs::remove_dir(at("target/file"))),
    );
    show("remove nothing", came(fs::remove_file(at("nothing"))));
    show("make what is there", came(fs::create_dir(at("source"))));
    show(
        "make below nothing",
        came(fs::create_dir(at("nothing/below"))),
    );
    show(
        "make below a file",
        came(fs::create_dir(at("target/file/below"))),
    );
    show(
        "open with a slash behind",
        came(fs::read(at("target/file/"))),
    );
    show(
        "open a winding path",
        came(fs::read(at("source/.//../target/../target///./file"))),
    );
    show("write to a directory", came(fs::write(at("source"), "")));

    show(
        "link",
        came(fs::hard_link(at("target/file"), at("source/link"))),
    );
    show(
        "link onto it",
        came(fs::hard_link(at("target/file"), at("source/link"))),
    );
    show(
        "link a directory",
        came(fs::hard_link(at("target"), at("linked")).map_err(same)),
    );
    println!("the link is: {:?}", fs::read_to_string(at("source/link")));

    for number in 0..300 {
        write(&format!("source/{number}"));
    }
    println!("names: {}", fs::read_dir(at("source")).unwrap().count());
    for entry in fs::read_dir(at("source")).unwrap() {
        fs::remove_file(entry.unwrap().path()).unwrap();
    }
    show(
        "remove what is empty now",
        came(fs::remove_dir(at("source"))),
    );
    fs::remove_dir_all(at("target")).unwrap();
}

/// Systems differ in which of the two they call it.
fn same(error: std::io::Error) -> std::io::Error {
    match error.kind() {
        ErrorKind::PermissionDenied => ErrorKind::PermissionDenied.into(),
        _ => error,
    }
}
