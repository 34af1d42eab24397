//! `tau __inside`: what stands before a program that was granted network, within a sandbox.
#![cfg(unix)]

use crate::support::Tau;
use std::{
    collections::HashMap,
    io::{BufRead, BufReader, Read, Write},
    net::{Shutdown, TcpStream},
    os::unix::net::UnixListener,
    process::Stdio,
    thread,
};

#[test]
fn it_ends_as_its_program_does() {
    let tau = Tau::new();
    for (script, code) in [("exit 0", 0), ("exit 41", 41), ("kill -TERM $$", 128 + 15)] {
        tau.tau(&["__inside", "--proxy", "/nowhere", "--", "sh", "-c", script])
            .code(code);
    }
    let done = tau.tau(&["__inside", "--proxy", "/nowhere", "--", "no-such-program"]);
    assert!(
        done.code(127)
            .stderr
            .contains("no-such-program cannot be started")
    );
    tau.tau(&["__inside", "--proxy", "/nowhere", "--", "/etc/passwd"])
        .code(126);
    tau.tau(&["__inside", "--proxy", "/nowhere"]).code(2);
}

#[test]
fn it_is_no_command_of_a_persons() {
    let tau = Tau::new();
    assert!(!tau.tau(&["--help"]).code(0).stdout.contains("__inside"));
    let completions = tau.tau(&["completions", "bash"]);
    assert!(!completions.code(0).stdout.contains("__inside"));
}

#[test]
fn a_port_of_the_loopback_leads_to_the_socket_while_the_program_runs() {
    let tau = Tau::new();
    let socket = tau.workspace().join("proxy.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    let proxy = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut asked = String::new();
        stream.read_to_string(&mut asked).unwrap();
        stream.write_all(b"answered").unwrap();
        asked
    });
    // `cat` runs until its input ends.
    let script = "env; echo; exec cat";
    let path = socket.to_str().unwrap();
    let mut child = tau
        .command(["__inside", "--proxy", path, "--", "sh", "-c", script])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let environment: HashMap<String, String> = lines
        .by_ref()
        .map(Result::unwrap)
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_once('=').map(|(n, v)| (n.into(), v.into())))
        .collect();
    let authority = tau.workspace().join("authority.pem");
    assert_eq!(environment["SSL_CERT_FILE"], authority.to_str().unwrap());
    assert_eq!(environment["HTTPS_PROXY"], environment["http_proxy"]);

    let address = environment["HTTPS_PROXY"].strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(b"asked").unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert_eq!(
        (answer.as_str(), proxy.join().unwrap().as_str()),
        ("answered", "asked")
    );

    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
    assert!(TcpStream::connect(address).is_err());
}
