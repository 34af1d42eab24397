//! The lines of a section: texts, and items that begin with `- `.

use tau_core::message::Image;

use super::{Reply, ScenarioError, parse::fail};
use crate::wire::{Piece, Tokens};

type Result<T> = std::result::Result<T, ScenarioError>;
type Lines<'a> = [(usize, &'a str)];

/// A line with a meaning of its own, or lines of text.
pub(super) enum Item {
    Item(String),
    Text(String),
}

/// The items of a section, each with its line. A fence holds text as it is, items and all.
pub(super) fn items(lines: &Lines<'_>) -> Result<Vec<(usize, Item)>> {
    let mut found = Vec::new();
    let mut text: Vec<&str> = Vec::new();
    let mut since = 0;
    let mut fence = None;
    let mut flush = |text: &mut Vec<&str>, line: usize, verbatim: bool| {
        let joined = text.join("\n");
        text.clear();
        let joined = if verbatim {
            joined
        } else {
            joined.trim_matches('\n').to_owned()
        };
        if !joined.is_empty() {
            found.push((line, Item::Text(joined)));
        }
    };
    let mut singles = Vec::new();
    for (line, content) in lines {
        if content.starts_with("```") {
            flush(&mut text, since, fence.is_some());
            fence = match fence {
                None => Some(*line),
                Some(_) => None,
            };
        } else if let (Some(item), None) = (content.strip_prefix("- "), fence) {
            flush(&mut text, since, false);
            singles.push((*line, Item::Item(item.trim().into())));
        } else {
            if text.is_empty() {
                since = *line;
            }
            text.push(content);
        }
    }
    flush(&mut text, since, false);
    if let Some(line) = fence {
        return fail(line, "this fence is not closed");
    }
    found.extend(singles);
    found.sort_by_key(|(line, _)| *line);
    Ok(found)
}

/// All of a section as one text.
pub(super) fn text(lines: &Lines<'_>) -> String {
    let kept: Vec<&str> = lines
        .iter()
        .map(|(_, line)| *line)
        .filter(|line| !line.starts_with("```"))
        .collect();
    kept.join("\n").trim_matches('\n').to_owned()
}

/// The pictures and the text of a prompt.
pub(super) fn images(lines: &Lines<'_>) -> Result<(Vec<Image>, String)> {
    let mut images = Vec::new();
    let mut rest = Vec::new();
    for (number, line) in lines {
        match line.strip_prefix("- image ") {
            Some(image) => match image.split_once(' ') {
                Some((mime, data)) => {
                    images.push(Image {
                        mime: mime.into(),
                        data: data.trim().into(),
                    });
                }
                None => return fail(*number, "`- image MIME BASE64`"),
            },
            None => rest.push((*number, *line)),
        }
    }
    Ok((images, text(&rest)))
}

/// Adds an item of a `## model` section to its reply.
pub(super) fn piece(line: usize, item: &Item, reply: &mut Reply, calls: &mut usize) -> Result<()> {
    let item = match item {
        Item::Text(text) => {
            reply.pieces.push(Piece::Text(text.clone()));
            return Ok(());
        }
        Item::Item(item) => item,
    };
    let (word, rest) = item.split_once(' ').unwrap_or((item, ""));
    let number = || match rest.parse::<u64>() {
        Ok(number) => Ok(number),
        Err(_) => fail(line, format!("{rest:?} is no number")),
    };
    let piece = match word {
        "text" => Piece::Text(unquote(rest)),
        "think" => Piece::Think(unquote(rest)),
        "signature" => Piece::Signature(rest.into()),
        "call" => {
            let (name, arguments) = rest.split_once(' ').unwrap_or((rest, "{}"));
            *calls += 1;
            Piece::Call {
                id: format!("c{calls}"),
                name: name.into(),
                arguments: arguments.into(),
            }
        }
        "error" => {
            let (kind, message) = rest.split_once(' ').unwrap_or((rest, "it broke"));
            Piece::Error {
                kind: kind.into(),
                message: message.into(),
            }
        }
        "raw" => Piece::Raw(unquote(rest)),
        "wait" => Piece::Wait(number()?),
        "stop" => Piece::Stop(rest.into()),
        "hang" => Piece::Hang,
        "reset" => Piece::Reset,
        "close" => Piece::Close,
        "header" => match rest.split_once(": ") {
            Some((name, value)) => {
                reply.headers.push((name.to_lowercase(), value.into()));
                return Ok(());
            }
            None => return fail(line, "`- header NAME: VALUE`"),
        },
        "late" => {
            reply.late_ms = number()?;
            return Ok(());
        }
        "split" | "cut" => {
            let bytes = Some(number()? as usize);
            *(if word == "split" {
                &mut reply.split
            } else {
                &mut reply.cut
            }) = bytes;
            return Ok(());
        }
        "tokens" => {
            let mut numbers = rest.split(' ').map(str::parse);
            let (Some(Ok(input)), Some(Ok(output))) = (numbers.next(), numbers.next()) else {
                return fail(line, "`- tokens INPUT OUTPUT`");
            };
            reply.tokens = Tokens { input, output };
            return Ok(());
        }
        word => return fail(line, format!("{word:?} is nothing a model does")),
    };
    reply.pieces.push(piece);
    Ok(())
}

/// A text as it is, or between quotes with the escapes of JSON.
pub(super) fn unquote(text: &str) -> String {
    match text.starts_with('"') {
        true => serde_json::from_str(text).unwrap_or_else(|_| text.into()),
        false => text.into(),
    }
}
