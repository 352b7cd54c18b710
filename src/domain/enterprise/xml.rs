//! The XML format: elements in a root whose name identifies the notification.

use quick_xml::Reader;
use quick_xml::escape::resolve_xml_entity;
use quick_xml::events::{BytesRef, Event};

use super::{MAX_DEPTH, NotificationFields, UnreadableNotification, nested, quoted, too_deep};
use crate::text::message::msg;

/// An open element.
struct OpenElement {
    /// Field name of the element; empty for the root.
    name: String,
    text: String,
    has_elements: bool,
}

/// Parses a document: the root's name, and the elements in it as fields. Attributes and comments are ignored. A
/// document type is refused, so that no entity can be declared; only XML's predefined ones are known.
pub(super) fn read(body: &str) -> Result<(String, NotificationFields), UnreadableNotification> {
    let mut reader = Reader::from_str(body);
    let mut fields = NotificationFields::default();
    let mut root: Option<String> = None;
    let mut open: Vec<OpenElement> = Vec::new();
    loop {
        let read = reader.read_event();
        // Report the position, not the parser's text: the input is not repeated in the message.
        let event = read.map_err(|_| UnreadableNotification(msg!("unreadable-xml", byte = reader.error_position())))?;
        match event {
            Event::Start(tag) => begin(tag.name().0, &mut root, &mut open)?,
            Event::Empty(tag) => {
                begin(tag.name().0, &mut root, &mut open)?;
                end(&mut open, &mut fields);
            }
            Event::End(_) => end(&mut open, &mut fields),
            Event::Text(text) => add(&mut open, &text.xml10_content())?,
            Event::CData(text) => add(&mut open, &text.xml10_content())?,
            Event::GeneralRef(entity) => add(&mut open, &resolved(&entity)?)?,
            Event::DocType(_) => return Err(UnreadableNotification(msg!("unreadable-document-type"))),
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
            Event::Eof => break,
        }
    }
    match root {
        Some(root) if open.is_empty() => Ok((root, fields)),
        Some(_) => Err(UnreadableNotification(msg!("unreadable-cut-off"))),
        None => Err(UnreadableNotification(msg!("unreadable-no-element"))),
    }
}

fn begin(tag: &str, root: &mut Option<String>, open: &mut Vec<OpenElement>) -> Result<(), UnreadableNotification> {
    if open.len() > MAX_DEPTH {
        return Err(too_deep());
    }
    let name = match open.last_mut() {
        Some(outer) => {
            outer.has_elements = true;
            nested(&outer.name, tag)
        }
        None if root.is_some() => return Err(UnreadableNotification(msg!("unreadable-two-roots"))),
        None => {
            *root = Some(tag.to_owned());
            String::new()
        }
    };
    open.push(OpenElement { name, text: String::new(), has_elements: false });
    Ok(())
}

fn end(open: &mut Vec<OpenElement>, fields: &mut NotificationFields) {
    let Some(element) = open.pop() else { return };
    let is_field = !element.name.is_empty() && (!element.has_elements || !element.text.trim().is_empty());
    if is_field {
        fields.insert(&element.name, &element.text);
    }
}

fn add(open: &mut [OpenElement], text: &str) -> Result<(), UnreadableNotification> {
    match open.last_mut() {
        Some(element) => element.text.push_str(text),
        None if text.trim().is_empty() => {}
        None => return Err(UnreadableNotification(msg!("unreadable-text-outside"))),
    }
    Ok(())
}

fn resolved(entity: &BytesRef<'_>) -> Result<String, UnreadableNotification> {
    let letter = || entity.resolve_char_ref().ok().flatten();
    let text = resolve_xml_entity(entity).map(str::to_owned).or_else(|| letter().map(String::from));
    text.ok_or_else(|| UnreadableNotification(msg!("unreadable-entity", name = quoted(entity))))
}
