//! The traffic in `tests/cassettes/`: each file decodes to what stands next to it, however its
//! bytes are cut.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::*;
use crate::{ids::UnixMillis, model::Assembler, session::HttpHead};

/// When every response in the cassettes arrived: 2025-10-09T08:53:20Z.
const NOW: UnixMillis = UnixMillis(1_760_000_000_000);

struct Cassette {
    path: PathBuf,
    api: Api,
    head: HttpHead,
    body: Vec<u8>,
}

fn cassettes() -> Vec<Cassette> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/cassettes");
    let mut paths: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ext| ext == "http"))
        .collect();
    paths.sort();
    paths.into_iter().map(load).collect()
}

fn load(path: PathBuf) -> Cassette {
    let bytes = fs::read(&path).unwrap();
    let blank = bytes.windows(2).position(|pair| pair == b"\n\n").unwrap();
    let head = String::from_utf8(bytes[..blank].to_vec()).unwrap();
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap();
    let headers = lines.map(|line| {
        let (name, value) = line.split_once(": ").unwrap();
        (name.into(), value.into())
    });
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    Cassette {
        api: match name.starts_with("anthropic-") {
            true => Api::Anthropic,
            false => Api::OpenAi,
        },
        head: HttpHead {
            status: status.parse().unwrap(),
            headers: headers.collect(),
            at: NOW,
        },
        body: bytes[blank + 2..].to_vec(),
        path,
    }
}

impl Cassette {
    fn is_answer(&self) -> bool {
        (200..300).contains(&self.head.status)
    }

    fn decode(&self, pieces: &[&[u8]]) -> (Vec<Delta>, Result<(), WireError>) {
        decode(self.api, self.head.header("content-type"), pieces)
    }
}

/// Where to cut: everywhere in a small body, at some 300 places of a larger one.
fn places(body: &[u8]) -> impl Iterator<Item = usize> + use<> {
    (0..body.len()).step_by(1 + body.len() / 300)
}

#[test]
fn every_cassette_reads_as_written_next_to_it() {
    let all = cassettes();
    assert!(all.len() > 40, "only {} cassettes were found", all.len());
    for cassette in all {
        let found = match cassette.is_answer() {
            true => render(&cassette.decode(&[&cassette.body])),
            false => show(&provider_error(
                &model(cassette.api),
                &cassette.head,
                &cassette.body,
            )),
        };
        let expected = cassette.path.with_extension("deltas");
        expect_test::expect_file![expected].assert_eq(&found);
    }
}

#[test]
fn how_the_bytes_are_cut_changes_nothing() {
    for cassette in cassettes().iter().filter(|c| c.is_answer()) {
        let body = cassette.body.as_slice();
        let whole = cassette.decode(&[body]);
        let bytes: Vec<&[u8]> = body.chunks(1).collect();
        assert_eq!(cassette.decode(&bytes), whole, "{:?}", cassette.path);
        for at in places(body) {
            let (left, right) = body.split_at(at);
            let cut = cassette.decode(&[left, right]);
            assert_eq!(cut, whole, "{:?} cut at {at}", cassette.path);
        }
    }
}

/// Every prefix of every answer: it may be incomplete or, once the provider said so, complete, but
/// it never becomes complete by being cut off.
#[test]
fn an_answer_cut_off_before_its_end_is_never_complete() {
    for cassette in cassettes().iter().filter(|c| c.is_answer()) {
        for at in places(&cassette.body) {
            let (deltas, end) = cassette.decode(&[&cassette.body[..at]]);
            let stopped = deltas.iter().any(|d| matches!(d, Delta::Stop { .. }));
            assert_eq!(end.is_ok(), stopped, "{:?} cut at {at}", cassette.path);
        }
    }
}

#[test]
fn deltas_of_every_answer_can_be_put_together() {
    for cassette in cassettes().iter().filter(|c| c.is_answer()) {
        let (deltas, end) = cassette.decode(&[&cassette.body]);
        let mut assembler = Assembler::default();
        for delta in &deltas {
            assembler.push(delta).unwrap();
        }
        assert_eq!(assembler.is_stopped(), end.is_ok(), "{:?}", cassette.path);
    }
}
