//! SmolLM2: a Llama in GGUF becomes an ONNX graph with a cache of keys and values.
//!
//! Inputs: `ids [1, new]`, `last [1]` and `total []` (position of the last token, and one more), `rows [n]` (which of
//! the new tokens to give logits for), `past.{k,v}.{layer} [1, kv_heads, past, head]`.
//! Outputs: `logits [n, vocabulary]`, `present.{k,v}.{layer}`.

use super::quant::{BLOCK, Nibbles, half};
use super::{Converted, VERSION};
use crate::error::{Error, Result};
use crate::gguf::{Encoding, Gguf};
use crate::onnx::{Attr, CONTRIB, Graph, Side, Type};
use crate::tokenizer;

/// Most tokens a session can hold: the length of the rotation tables.
pub(crate) const CONTEXT: usize = 2048;
const MAX_LAYERS: usize = 512;
const MAX_WIDTH: usize = 65_536;

struct Shape {
    layers: usize,
    hidden: usize,
    heads: usize,
    kv_heads: usize,
    head: usize,
    epsilon: f32,
    rope_base: f64,
}

impl Shape {
    fn read(gguf: &Gguf<'_>) -> Result<Self> {
        let architecture = gguf.text("general.architecture")?;
        if architecture != "llama" {
            return Err(Error::Unsupported(format!("architecture {architecture}")));
        }
        let hidden = gguf.integer("llama.embedding_length")?;
        let heads = gguf.integer("llama.attention.head_count")?;
        let kv_heads = gguf.integer("llama.attention.head_count_kv")?;
        let layers = gguf.integer("llama.block_count")?;
        let sound = (1..=MAX_LAYERS).contains(&layers)
            && (1..=MAX_WIDTH).contains(&hidden)
            && heads > 0
            && kv_heads > 0
            && hidden.is_multiple_of(heads)
            && heads.is_multiple_of(kv_heads);
        let head = hidden.checked_div(heads).unwrap_or(0);
        if !sound || !head.is_multiple_of(2) || gguf.integer("llama.rope.dimension_count")? != head
        {
            return Err(Error::gguf(format!(
                "{layers} layers, width {hidden}, {heads} heads, {kv_heads} key heads"
            )));
        }
        Ok(Self {
            layers,
            hidden,
            heads,
            kv_heads,
            head,
            epsilon: gguf.float("llama.attention.layer_norm_rms_epsilon")? as f32,
            rope_base: gguf.float("llama.rope.freq_base")?,
        })
    }
}

/// Converts SmolLM2 from a GGUF file whose matrices are Q4_1 and whose embedding is Q8_0.
///
/// Matrices stay in their 4-bit blocks, exactly. The embedding is used twice: looked up in its 8 bits, and, as the
/// output head, rounded to 4-bit blocks, which costs little quality and halves the bytes read for each token.
///
/// Fails with [`Error::Malformed`] or [`Error::Unsupported`].
pub fn convert_smollm(gguf_file: &[u8]) -> Result<Converted> {
    let gguf = Gguf::parse(gguf_file)?;
    let tokenizer = tokenizer::json_from_gguf(&gguf)?;
    let shape = Shape::read(&gguf)?;
    let mut builder = Builder {
        gguf: &gguf,
        graph: Graph::default(),
        shape,
    };
    builder.build()?;
    let metadata = [
        ("tau.converter", VERSION.to_string()),
        ("tau.layers", builder.shape.layers.to_string()),
        ("tau.kv_heads", builder.shape.kv_heads.to_string()),
        ("tau.head", builder.shape.head.to_string()),
    ];
    let metadata: Vec<(&str, &str)> = metadata.iter().map(|(k, v)| (*k, v.as_str())).collect();
    Ok(Converted {
        graph: builder.graph.finish(&metadata),
        tokenizer,
    })
}

struct Builder<'a> {
    gguf: &'a Gguf<'a>,
    graph: Graph,
    shape: Shape,
}

impl Builder<'_> {
    fn build(&mut self) -> Result<()> {
        let one = Side::Fixed(1);
        self.graph.input("ids", Type::I64, &[one, Side::Any("new")]);
        self.graph.input("last", Type::I32, &[one]);
        self.graph.input("total", Type::I32, &[]);
        self.graph.input("rows", Type::I64, &[Side::Any("n")]);
        self.rotation_tables();
        self.graph.integers("last_axis", &[-1]);
        self.graph.integers("first_axis", &[0]);

        let vocabulary = self.embedding()?;
        let mut state = self.looked_up();
        for layer in 0..self.shape.layers {
            state = self.layer(layer, &state)?;
        }
        // Only the wanted rows go through the head, which is a quarter of the work for a token.
        let state = self.graph.op("", "Squeeze", &[&state, "first_axis"], &[]);
        let state = self
            .graph
            .op("", "Gather", &[&state, "rows"], &[("axis", Attr::Int(0))]);
        let state = self.norm("output_norm.weight", &state)?;
        let head =
            Nibbles::from_tensor("token_embd.weight", self.gguf.tensor("token_embd.weight")?)?;
        let sums = self.block_sums("head", &state, head.cols, &[0]);
        let logits = self.product("head", &state, &sums, &head)?;
        self.graph
            .op_named("", "Identity", &[&logits], &["logits"], &[]);
        self.graph.output(
            "logits",
            Type::F32,
            &[Side::Any("n"), Side::Fixed(vocabulary)],
        );
        Ok(())
    }

    /// Stores the embedding as bytes and scales; returns the size of the vocabulary.
    fn embedding(&mut self) -> Result<usize> {
        let name = "token_embd.weight";
        let tensor = self.gguf.tensor(name)?;
        let [width, vocabulary] = tensor.dims[..] else {
            return Err(Error::gguf(format!("tensor {name} is not a matrix")));
        };
        if tensor.encoding != Encoding::Q8_0 || width != self.shape.hidden {
            return Err(Error::Unsupported(format!(
                "{name}: {:?}, width {width}",
                tensor.encoding
            )));
        }
        let mut bytes = Vec::with_capacity(width * vocabulary);
        let mut scales = Vec::with_capacity(width * vocabulary / BLOCK);
        for block in tensor.data.chunks_exact(34) {
            scales.push(half(block, 0));
            bytes.extend_from_slice(&block[2..]);
        }
        let blocks = width / BLOCK;
        self.graph.constant(
            "embedding.q",
            Type::I8,
            &[vocabulary, blocks, BLOCK],
            &bytes,
        );
        self.graph
            .floats("embedding.s", &[vocabulary, blocks, 1], &scales);
        Ok(vocabulary)
    }

    fn looked_up(&mut self) -> String {
        let axis = [("axis", Attr::Int(0))];
        let bytes = self.graph.op("", "Gather", &["embedding.q", "ids"], &axis);
        let bytes = self.graph.op(
            "",
            "Cast",
            &[&bytes],
            &[("to", Attr::Int(Type::F32 as i64))],
        );
        let scales = self.graph.op("", "Gather", &["embedding.s", "ids"], &axis);
        let values = self.graph.op("", "Mul", &[&bytes, &scales], &[]);
        self.graph
            .integers("embedding.shape", &[0, 0, self.shape.hidden as i64]);
        self.graph
            .op("", "Reshape", &[&values, "embedding.shape"], &[])
    }

    fn layer(&mut self, layer: usize, state: &str) -> Result<String> {
        let weight = |part: &str| format!("blk.{layer}.{part}.weight");
        let matrix = |part: &str| {
            let name = weight(part);
            Nibbles::from_tensor(&name, self.gguf.tensor(&name)?)
        };
        let qkv = matrix("attn_q")?
            .stack(matrix("attn_k")?)?
            .stack(matrix("attn_v")?)?;
        let out = matrix("attn_output")?;
        let gate_up = matrix("ffn_gate")?.stack(matrix("ffn_up")?)?;
        let down = matrix("ffn_down")?;
        let Shape {
            hidden,
            heads,
            kv_heads,
            head,
            ..
        } = self.shape;
        if qkv.rows != (heads + 2 * kv_heads) * head || qkv.cols != hidden || out.cols != hidden {
            return Err(Error::gguf(format!(
                "layer {layer}: attention is {} by {}",
                qkv.rows, qkv.cols
            )));
        }
        if gate_up.rows != 2 * down.cols
            || gate_up.cols != hidden
            || down.rows != hidden
            || out.rows != hidden
        {
            return Err(Error::gguf(format!(
                "layer {layer}: {} into {}",
                gate_up.rows, down.cols
            )));
        }

        let x = self.norm(&weight("attn_norm"), state)?;
        let x = self.matmul(&format!("{layer}.qkv"), &x, &qkv)?;
        let x = self.attention(layer, &x);
        let x = self.matmul(&format!("{layer}.out"), &x, &out)?;
        let state = self.graph.op("", "Add", &[state, &x], &[]);

        let x = self.norm(&weight("ffn_norm"), &state)?;
        let x = self.matmul(&format!("{layer}.gate_up"), &x, &gate_up)?;
        let (gate, up) = (format!("{layer}.gate"), format!("{layer}.up"));
        let halves = [("axis", Attr::Int(-1)), ("num_outputs", Attr::Int(2))];
        self.graph
            .op_named("", "Split", &[&x], &[&gate, &up], &halves);
        let gate = self
            .graph
            .op("", "Swish", &[&gate], &[("alpha", Attr::Float(1.0))]);
        let x = self.graph.op("", "Mul", &[&gate, &up], &[]);
        let x = self.matmul(&format!("{layer}.down"), &x, &down)?;
        Ok(self.graph.op("", "Add", &[&state, &x], &[]))
    }

    fn attention(&mut self, layer: usize, qkv: &str) -> String {
        let Shape {
            heads,
            kv_heads,
            head,
            ..
        } = self.shape;
        let [past_k, past_v, present_k, present_v] =
            ["past.k", "past.v", "present.k", "present.v"].map(|name| format!("{name}.{layer}"));
        let side = |length| {
            [
                Side::Fixed(1),
                Side::Fixed(kv_heads),
                Side::Any(length),
                Side::Fixed(head),
            ]
        };
        self.graph.input(&past_k, Type::F32, &side("past"));
        self.graph.input(&past_v, Type::F32, &side("past"));
        self.graph.output(&present_k, Type::F32, &side("present"));
        self.graph.output(&present_v, Type::F32, &side("present"));
        let output = format!("{layer}.attention");
        self.graph.op_named(
            CONTRIB,
            "GroupQueryAttention",
            &[qkv, "", "", &past_k, &past_v, "last", "total", "cos", "sin"],
            &[&output, &present_k, &present_v],
            &[
                ("num_heads", Attr::Int(heads as i64)),
                ("kv_num_heads", Attr::Int(kv_heads as i64)),
                ("do_rotary", Attr::Int(1)),
                // llama.cpp's order of a Llama's query and key rows: pairs side by side.
                ("rotary_interleaved", Attr::Int(1)),
            ],
        );
        output
    }

    fn norm(&mut self, name: &str, state: &str) -> Result<String> {
        let tensor = self.gguf.tensor(name)?;
        if tensor.encoding != Encoding::F32 || tensor.dims != [self.shape.hidden] {
            return Err(Error::gguf(format!(
                "tensor {name} is not a float vector of the width"
            )));
        }
        self.graph
            .constant(name, Type::F32, &tensor.dims, tensor.data);
        let attrs = [
            ("axis", Attr::Int(-1)),
            ("epsilon", Attr::Float(self.shape.epsilon)),
            ("stash_type", Attr::Int(1)),
        ];
        Ok(self
            .graph
            .op("", "SimplifiedLayerNormalization", &[state, name], &attrs))
    }

    fn matmul(&mut self, name: &str, x: &str, matrix: &Nibbles) -> Result<String> {
        let sums = self.block_sums(name, x, matrix.cols, &[0, 0]);
        self.product(name, x, &sums, matrix)
    }

    /// Sums of each 32 neighbours of the last axis; `lead` has a zero for each axis before it.
    fn block_sums(&mut self, name: &str, x: &str, width: usize, lead: &[i64]) -> String {
        let shape_name = format!("{name}.blocks");
        let mut shape = lead.to_vec();
        shape.extend([(width / BLOCK) as i64, BLOCK as i64]);
        self.graph.integers(&shape_name, &shape);
        let blocks = self.graph.op("", "Reshape", &[x, &shape_name], &[]);
        self.graph.op(
            "",
            "ReduceSum",
            &[&blocks, "last_axis"],
            &[("keepdims", Attr::Int(0))],
        )
    }

    fn product(&mut self, name: &str, x: &str, sums: &str, matrix: &Nibbles) -> Result<String> {
        let blocks = matrix.cols / BLOCK;
        let [packed, scales, offsets] = ["q", "s", "o"].map(|part| format!("{name}.{part}"));
        self.graph.constant(
            &packed,
            Type::U8,
            &[matrix.rows, blocks, BLOCK / 2],
            &matrix.packed,
        );
        self.graph
            .floats(&scales, &[matrix.rows, blocks], &matrix.scales);
        self.graph.floats(
            &offsets,
            &[blocks, matrix.rows],
            &matrix.offsets_transposed(),
        );
        let attrs = [
            ("bits", Attr::Int(4)),
            ("block_size", Attr::Int(BLOCK as i64)),
            ("K", Attr::Int(matrix.cols as i64)),
            ("N", Attr::Int(matrix.rows as i64)),
            // 4 lets a single row be rounded to 8 bits, as llama.cpp does.
            ("accuracy_level", Attr::Int(4)),
        ];
        let main = self
            .graph
            .op(CONTRIB, "MatMulNBits", &[x, &packed, &scales], &attrs);
        let rest = self.graph.op("", "MatMul", &[sums, &offsets], &[]);
        Ok(self.graph.op("", "Add", &[&main, &rest], &[]))
    }

    /// Cosines and sines of each position, `[CONTEXT, head / 2]` (Su et al. 2021, equation 34).
    fn rotation_tables(&mut self) {
        let half = self.shape.head / 2;
        let base = self.shape.rope_base;
        let angles = (0..CONTEXT).flat_map(|position| {
            (0..half).map(move |i| position as f64 * base.powf(-(i as f64) / half as f64))
        });
        let (cos, sin): (Vec<f32>, Vec<f32>) = angles
            .map(|angle| (angle.cos() as f32, angle.sin() as f32))
            .unzip();
        self.graph.floats("cos", &[CONTEXT, half], &cos);
        self.graph.floats("sin", &[CONTEXT, half], &sin);
    }
}
