//! The GGUF and safetensors readers on files that lie.

use tau_target_rten::gguf::{Encoding, Gguf};
use tau_target_rten::safetensors::Safetensors;
use tau_target_rten::{Error, convert};

/// A sound file: one text in the metadata, one Q8_0 tensor of 32.
fn sound() -> Vec<u8> {
    let mut out = b"GGUF".to_vec();
    out.extend(3u32.to_le_bytes());
    out.extend(1u64.to_le_bytes());
    out.extend(1u64.to_le_bytes());
    text(&mut out, "general.name");
    out.extend(8u32.to_le_bytes());
    text(&mut out, "small");
    text(&mut out, "t");
    out.extend(2u32.to_le_bytes());
    out.extend(32u64.to_le_bytes());
    out.extend(1u64.to_le_bytes());
    out.extend(8u32.to_le_bytes());
    out.extend(0u64.to_le_bytes());
    out.resize(out.len().next_multiple_of(32), 0);
    out.extend([7; 34]);
    out
}

fn text(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend(text.as_bytes());
}

fn is_malformed(bytes: &[u8]) -> bool {
    matches!(Gguf::parse(bytes), Err(Error::Malformed { .. }))
}

#[test]
fn a_sound_file_is_read() {
    let bytes = sound();
    let gguf = Gguf::parse(&bytes).expect("a sound file");
    assert_eq!(gguf.text("general.name").expect("a name"), "small");
    let tensor = gguf.tensor("t").expect("a tensor");
    assert_eq!(
        (tensor.encoding, tensor.dims.as_slice()),
        (Encoding::Q8_0, &[32, 1][..])
    );
    assert_eq!(tensor.data, [7; 34]);
}

#[test]
fn a_file_cut_anywhere_is_malformed() {
    let bytes = sound();
    for length in 0..bytes.len() {
        assert!(is_malformed(&bytes[..length]), "cut at {length}");
    }
}

#[test]
fn a_wrong_beginning_or_version_is_malformed() {
    let mut bytes = sound();
    bytes[0] = b'X';
    assert!(is_malformed(&bytes));
    let mut bytes = sound();
    bytes[4] = 9;
    assert!(is_malformed(&bytes));
}

#[test]
fn huge_counts_reserve_nothing() {
    for at in [8, 16, 24] {
        let mut bytes = sound();
        bytes[at..at + 8].copy_from_slice(&(u64::MAX / 2).to_le_bytes());
        assert!(is_malformed(&bytes), "count at {at}");
    }
}

#[test]
fn any_changed_byte_is_read_or_refused_without_a_panic() {
    let bytes = sound();
    for at in 0..bytes.len() {
        for value in [0, 1, 9, 0x7f, 0x80, 0xff] {
            let mut changed = bytes.clone();
            changed[at] = value;
            let _ =
                Gguf::parse(&changed).map(|gguf| gguf.tensor("t").map(|tensor| tensor.data.len()));
            let _ = convert::convert_smollm(&changed);
        }
    }
}

#[test]
fn deep_arrays_are_refused() {
    let mut bytes = b"GGUF".to_vec();
    bytes.extend(3u32.to_le_bytes());
    bytes.extend(0u64.to_le_bytes());
    bytes.extend(1u64.to_le_bytes());
    text(&mut bytes, "deep");
    bytes.extend(9u32.to_le_bytes());
    for _ in 0..10_000 {
        bytes.extend(9u32.to_le_bytes());
        bytes.extend(1u64.to_le_bytes());
    }
    assert!(is_malformed(&bytes));
}

#[test]
fn safetensors_that_lie_are_refused() {
    let file = |header: &str, data: &[u8]| {
        let mut out = (header.len() as u64).to_le_bytes().to_vec();
        out.extend(header.as_bytes());
        out.extend(data);
        out
    };
    let read = |bytes: &[u8]| Safetensors::parse(bytes)?.floats("a", &[2]);
    let header = r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#;
    assert_eq!(
        read(&file(header, &[0; 8])).expect("a sound file"),
        [0.0, 0.0]
    );
    let outside = header.replace("[0,8]", "[8,16]");
    let backwards = header.replace("[0,8]", "[8,0]");
    let other = header.replace("F32", "F16");
    for (header, data) in [
        (header, 7),
        (outside.as_str(), 8),
        (backwards.as_str(), 8),
        (other.as_str(), 8),
        ("{", 8),
    ] {
        assert!(
            matches!(
                read(&file(header, &vec![0; data])),
                Err(Error::Malformed { .. })
            ),
            "{header}"
        );
    }
    for bytes in [&[0u8; 3][..], &u64::MAX.to_le_bytes()] {
        assert!(Safetensors::parse(bytes).is_err());
    }
}
