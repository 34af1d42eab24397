//! What every envelope must be, whoever writes or reads it.

use super::{ATTACHMENTS_LIMIT, BODY_LIMIT, Envelope, Error, ID_LIMIT_BYTES, RECIPIENTS_LIMIT};
use crate::did::KamnDid;

impl Envelope {
    /// Checks what can be checked without knowing anything else.
    pub fn check(&self) -> Result<(), Error> {
        check_id("id", &self.id)?;
        if let Some(id) = &self.thread_id {
            check_id("thread_id", id)?;
        }
        if let Some(id) = &self.parent_id {
            check_id("parent_id", id)?;
        }
        if self.nonce.get() < 1 {
            return refuse("nonce", "it must be above 0");
        }
        check_text("priority", &self.priority)?;
        check_text("content_type", &self.content_type)?;
        self.check_recipients()?;
        self.check_body()?;
        self.check_attachments()
    }

    fn check_recipients(&self) -> Result<(), Error> {
        if self.to.is_empty() || self.to.len() > RECIPIENTS_LIMIT {
            return refuse("to", "there must be 1 to 256 recipients");
        }
        if has_twice(&self.to) {
            return refuse("to", "a recipient is named twice");
        }
        let keys = &self.recipient_keys;
        if keys.is_empty() || keys.len() > RECIPIENTS_LIMIT {
            return refuse("recipient_keys", "there must be 1 to 256 keys");
        }
        if has_twice(keys) {
            return refuse("recipient_keys", "a key is named twice");
        }
        for key in keys {
            let Some((did, number)) = key.split_once("#key-agreement-") else {
                return refuse("recipient_keys", "a key is none to agree on secrets with");
            };
            let is_number = (1..=9).contains(&number.len())
                && number.bytes().all(|byte| byte.is_ascii_digit())
                && !number.starts_with('0');
            if !is_number {
                return refuse("recipient_keys", "a key's id does not end in its number");
            }
            let did: KamnDid = did.parse()?;
            if !self.to.contains(&did) {
                return refuse("recipient_keys", "a key is none of a recipient");
            }
        }
        Ok(())
    }

    fn check_body(&self) -> Result<(), Error> {
        if self.body.is_empty() || self.body.len() > BODY_LIMIT {
            return refuse("body", "there must be 1 to 256 entries");
        }
        let mut texts = self.body.iter().flat_map(|(name, text)| [name, text]);
        if texts.any(|text| is_blank(text)) {
            return refuse("body", "a name or an entry is blank");
        }
        Ok(())
    }

    fn check_attachments(&self) -> Result<(), Error> {
        if self.attachments.len() > ATTACHMENTS_LIMIT {
            return refuse("attachments", "there are more than 16");
        }
        for (at, attachment) in self.attachments.iter().enumerate() {
            check_id("attachments", &attachment.id)?;
            check_text("attachments", &attachment.media_type)?;
            check_text("attachments", &attachment.uri)?;
            let mut before = self.attachments[..at].iter();
            if before.any(|earlier| earlier.id == attachment.id) {
                return refuse("attachments", "an id is there twice");
            }
        }
        Ok(())
    }
}

fn check_id(member: &'static str, id: &str) -> Result<(), Error> {
    check_text(member, id)?;
    if id.len() > ID_LIMIT_BYTES {
        return refuse(member, "it is longer than 256 bytes");
    }
    if id.chars().any(char::is_control) {
        return refuse(member, "it holds a control character");
    }
    Ok(())
}

fn check_text(member: &'static str, text: &str) -> Result<(), Error> {
    if is_blank(text) {
        return refuse(member, "it is blank");
    }
    Ok(())
}

fn is_blank(text: &str) -> bool {
    text.trim().is_empty()
}

/// At most 256 of them, so looking at each pair is fine.
fn has_twice<T: PartialEq>(items: &[T]) -> bool {
    let mut all = items.iter().enumerate();
    all.any(|(at, item)| items[..at].contains(item))
}

fn refuse(member: &'static str, why: &'static str) -> Result<(), Error> {
    Err(Error::Shape { member, why })
}
