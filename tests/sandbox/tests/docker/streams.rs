//! What a program reads and writes, and how it ends.

use std::{io::Write, process::Stdio, thread};

use tau_target_process::{Input, Output, Running, Sandbox};

use crate::{Place, Said};

#[tokio::test]
async fn codes_and_signals_are_told_as_shells_tell_them() {
    let place = Place::new().await;
    for (script, code) in [
        (":", 0),
        ("exit 3", 3),
        ("exit 255", 255),
        ("kill -9 $$", 137),
        ("kill -15 $$", 143),
        ("no-such-program", 127),
    ] {
        assert_eq!(place.run(script).await.code, code, "{script}");
    }
}

#[tokio::test]
async fn a_program_that_is_not_there_is_said_so() {
    let place = Place::new().await;
    let (mut job, pipes) = place.job("");
    job.program = vec!["no-such-program".into()];
    let said = place.finish(job, pipes).await;
    assert_eq!(said.code, 127);
    assert!(said.err.contains("no-such-program"), "{said:?}");
}

#[tokio::test]
async fn the_two_outputs_are_kept_apart_and_in_order() {
    let place = Place::new().await;
    let said = place
        .run("i=0; while [ $i -lt 500 ]; do echo out $i; echo err $i >&2; i=$((i+1)); done")
        .await;
    let lines = |name: &str| -> String { (0..500).map(|i| format!("{name} {i}\n")).collect() };
    assert_eq!(
        said,
        Said {
            code: 0,
            out: lines("out"),
            err: lines("err")
        }
    );
}

#[tokio::test]
async fn large_output_arrives_whole() {
    let place = Place::new().await;
    let said = place.run("head -c 20000000 /dev/zero | tr '\\0' x").await;
    assert_eq!(said.code, 0);
    assert_eq!(said.out.len(), 20_000_000);
    assert!(said.out.bytes().all(|byte| byte == b'x'));
}

#[tokio::test]
async fn input_arrives_whole_and_ends() {
    let place = Place::new().await;
    let (mut job, pipes) = place.job("wc -c");
    let (input, mut writer) = std::io::pipe().unwrap();
    job.input = Input::Pipe(input);
    let write = thread::spawn(move || writer.write_all(&vec![b'x'; 3_000_000]));
    assert_eq!(place.finish(job, pipes).await.out, "3000000\n");
    write.join().unwrap().unwrap();
}

#[tokio::test]
async fn a_program_need_not_read_its_input() {
    let place = Place::new().await;
    let (mut job, pipes) = place.job("read -r line; echo \"$line\"");
    let (input, mut writer) = std::io::pipe().unwrap();
    job.input = Input::Pipe(input);
    let write = thread::spawn(move || writer.write_all(&b"line\n".repeat(1_000_000)));
    let said = place.finish(job, pipes).await;
    assert_eq!((said.code, said.out.as_str()), (0, "line\n"));
    // Whoever writes learns that nobody reads any more.
    write.join().unwrap().unwrap_err();
}

#[tokio::test]
async fn without_input_there_is_an_end_at_once() {
    let place = Place::new().await;
    assert_eq!(place.run("wc -c").await.out, "0\n");
}

#[tokio::test]
async fn both_outputs_may_be_one_pipe() {
    let place = Place::new().await;
    let (mut job, [_, _]) = place.job("echo one; sleep 0.2; echo two >&2; sleep 0.2; echo three");
    let (reader, writer) = std::io::pipe().unwrap();
    job.errors = Output::Pipe(writer.try_clone().unwrap());
    job.output = Output::Pipe(writer);
    let mut running = place.docker.start(job).await.unwrap();
    running.wait().await.unwrap();
    running.end().await;
    assert_eq!(crate::read(reader), "one\ntwo\nthree\n");
}

#[tokio::test]
async fn output_that_nobody_reads_is_thrown_away() {
    let place = Place::new().await;
    let (job, pipes) = place.job("head -c 1000000 /dev/zero; echo done >&2");
    let [out, err] = pipes;
    drop(out);
    let mut running = place.docker.start(job).await.unwrap();
    assert_eq!(running.wait().await.unwrap().code(), 0);
    running.end().await;
    assert_eq!(crate::read(err), "done\n");
}

#[tokio::test]
async fn the_streams_of_a_process_are_those_of_its_program() {
    let place = Place::new().await;
    let mut child = place
        .process("read -r line; echo \"out $line\"; echo err >&2; exit 9")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Held open: whoever types need not end their input for the program to end.
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"typed\n").unwrap();
    let output = child.wait_with_output().unwrap();
    drop(stdin);
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "out typed\n");
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "err\n");
    assert_eq!(output.status.code(), Some(9));
}
