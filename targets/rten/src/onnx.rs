//! Writes ONNX, the format the inference engine reads: a graph as a protocol buffer.
//!
//! Only what the two converters need is here. Field numbers are those of `onnx.proto3`.

/// Element type of a tensor, with ONNX's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Type {
    F32 = 1,
    U8 = 2,
    I8 = 3,
    I32 = 6,
    I64 = 7,
}

/// An operator's setting.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Attr {
    Int(i64),
    Float(f32),
}

/// The side of an input whose length is only known when the model runs, or a fixed one.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Side {
    Fixed(usize),
    Any(&'static str),
}

/// The operators of ONNX Runtime that are no part of the standard.
pub(crate) const CONTRIB: &str = "com.microsoft";

/// A graph under construction. Values are named by text; operators must be added in an order that can be run.
#[derive(Debug, Default)]
pub(crate) struct Graph {
    body: Vec<u8>,
    fresh: usize,
}

impl Graph {
    /// Adds an operator with one output and returns its name.
    pub(crate) fn op(
        &mut self,
        domain: &str,
        kind: &str,
        inputs: &[&str],
        attrs: &[(&str, Attr)],
    ) -> String {
        self.fresh += 1;
        let output = format!("v{}", self.fresh);
        self.op_named(domain, kind, inputs, &[&output], attrs);
        output
    }

    /// Adds an operator whose outputs are named by the caller. An empty input name is an absent input.
    pub(crate) fn op_named(
        &mut self,
        domain: &str,
        kind: &str,
        inputs: &[&str],
        outputs: &[&str],
        attrs: &[(&str, Attr)],
    ) {
        let mut node = Vec::new();
        inputs
            .iter()
            .for_each(|name| bytes_field(&mut node, 1, name.as_bytes()));
        outputs
            .iter()
            .for_each(|name| bytes_field(&mut node, 2, name.as_bytes()));
        bytes_field(&mut node, 4, kind.as_bytes());
        for (name, value) in attrs {
            let mut attr = Vec::new();
            bytes_field(&mut attr, 1, name.as_bytes());
            match value {
                Attr::Float(x) => {
                    varint(&mut attr, 2 << 3 | 5);
                    attr.extend(x.to_le_bytes());
                    int_field(&mut attr, 20, 1);
                }
                Attr::Int(n) => {
                    int_field(&mut attr, 3, *n);
                    int_field(&mut attr, 20, 2);
                }
            }
            bytes_field(&mut node, 5, &attr);
        }
        bytes_field(&mut node, 7, domain.as_bytes());
        bytes_field(&mut self.body, 1, &node);
    }

    /// Adds a constant of raw little-endian bytes.
    pub(crate) fn constant(&mut self, name: &str, kind: Type, shape: &[usize], raw: &[u8]) {
        let mut head = Vec::new();
        shape
            .iter()
            .for_each(|side| int_field(&mut head, 1, *side as i64));
        int_field(&mut head, 2, kind as i64);
        bytes_field(&mut head, 8, name.as_bytes());
        varint(&mut head, 9 << 3 | 2);
        varint(&mut head, raw.len() as u64);
        varint(&mut self.body, 5 << 3 | 2);
        varint(&mut self.body, (head.len() + raw.len()) as u64);
        self.body.extend(head);
        self.body.extend_from_slice(raw);
    }

    /// Adds a constant of floats.
    pub(crate) fn floats(&mut self, name: &str, shape: &[usize], values: &[f32]) {
        let raw: Vec<u8> = values.iter().flat_map(|x| x.to_le_bytes()).collect();
        self.constant(name, Type::F32, shape, &raw);
    }

    /// Adds a constant list of integers.
    pub(crate) fn integers(&mut self, name: &str, values: &[i64]) {
        let raw: Vec<u8> = values.iter().flat_map(|n| n.to_le_bytes()).collect();
        self.constant(name, Type::I64, &[values.len()], &raw);
    }

    /// Declares an input.
    pub(crate) fn input(&mut self, name: &str, kind: Type, shape: &[Side]) {
        let info = value_info(name, kind, shape);
        bytes_field(&mut self.body, 11, &info);
    }

    /// Declares an output.
    pub(crate) fn output(&mut self, name: &str, kind: Type, shape: &[Side]) {
        let info = value_info(name, kind, shape);
        bytes_field(&mut self.body, 12, &info);
    }

    /// The finished file.
    pub(crate) fn finish(mut self, metadata: &[(&str, &str)]) -> Vec<u8> {
        bytes_field(&mut self.body, 2, b"tau");
        let mut model = Vec::with_capacity(self.body.len() + 256);
        int_field(&mut model, 1, 10);
        bytes_field(&mut model, 2, b"tau");
        for (domain, version) in [("", 23), (CONTRIB, 1)] {
            let mut opset = Vec::new();
            bytes_field(&mut opset, 1, domain.as_bytes());
            int_field(&mut opset, 2, version);
            bytes_field(&mut model, 8, &opset);
        }
        for (key, value) in metadata {
            let mut entry = Vec::new();
            bytes_field(&mut entry, 1, key.as_bytes());
            bytes_field(&mut entry, 2, value.as_bytes());
            bytes_field(&mut model, 14, &entry);
        }
        bytes_field(&mut model, 7, &self.body);
        model
    }
}

fn value_info(name: &str, kind: Type, shape: &[Side]) -> Vec<u8> {
    let mut sides = Vec::new();
    for side in shape {
        let mut dim = Vec::new();
        match side {
            Side::Fixed(length) => int_field(&mut dim, 1, *length as i64),
            Side::Any(name) => bytes_field(&mut dim, 2, name.as_bytes()),
        }
        bytes_field(&mut sides, 1, &dim);
    }
    let mut tensor = Vec::new();
    int_field(&mut tensor, 1, kind as i64);
    bytes_field(&mut tensor, 2, &sides);
    let mut wrapped = Vec::new();
    bytes_field(&mut wrapped, 1, &tensor);
    let mut info = Vec::new();
    bytes_field(&mut info, 1, name.as_bytes());
    bytes_field(&mut info, 2, &wrapped);
    info
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn int_field(out: &mut Vec<u8>, field: u64, value: i64) {
    varint(out, field << 3);
    varint(out, value as u64);
}

fn bytes_field(out: &mut Vec<u8>, field: u64, bytes: &[u8]) {
    varint(out, field << 3 | 2);
    varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}
