//! The XML document of a wallet notice: bounded parsing, and the texts that its checksum may have been computed over.

use std::borrow::Cow;

use quick_xml::Reader;
use quick_xml::XmlVersion;
use quick_xml::escape::resolve_xml_entity;
use quick_xml::events::{BytesStart, Event};
use thiserror::Error;

use crate::platform::hex::unhex;

/// Maximum depth of nested elements. Real notices have three levels.
const MAX_DEPTH: usize = 32;
/// Maximum number of pieces (elements, texts and the like). Real notices have some forty.
const MAX_PIECES: usize = 4_096;

/// Reason why a document cannot be read, for its sender: the error and what is allowed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct UnreadableDocument(Cow<'static, str>);

impl UnreadableDocument {
    pub(super) fn because(reason: impl Into<Cow<'static, str>>) -> Self {
        Self(reason.into())
    }
}

/// A notice as received: well-formed but not verified, so nothing may act on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoticeDocument {
    checksum: [u8; 16],
    forms: Vec<String>,
    is_latin: bool,
    account_id: u64,
}

impl NoticeDocument {
    /// Parses a document: `<notification>` with `<md5content>` and `<result>`.
    pub fn read(bytes: &[u8]) -> Result<Self, UnreadableDocument> {
        let (text, is_latin) = decode(bytes)?;
        let pieces = pieces(&text)?;
        let parts = NoticeParts::find(&text, &pieces)?;
        let stands = compact(parts.result);
        let account_id = super::WalletNotice::read(&stands)?.account_id;
        let mut forms = vec![stands];
        let written = compact(&parts.written);
        let escaped = ascii(&written);
        for form in [written, escaped] {
            if !forms.contains(&form) {
                forms.push(form);
            }
        }
        Ok(Self { checksum: checksum(&parts.checksum)?, forms, is_latin, account_id })
    }

    /// Returns the checksum that the document claims.
    pub fn checksum(&self) -> &[u8; 16] {
        &self.checksum
    }

    /// Returns the account that the document claims to concern.
    pub fn account_id(&self) -> u64 {
        self.account_id
    }

    /// Returns the texts that the checksum may have been computed over: the element as received, the element as an XML
    /// library writes it back, and the latter as written for a document that declares no encoding. All are without
    /// newlines and tabs, and without the spaces between elements.
    pub fn forms(&self) -> &[String] {
        &self.forms
    }

    /// Returns the bytes of one of the forms in the document's own encoding; `None` if that is UTF-8 or cannot encode
    /// the form.
    pub fn original_bytes(&self, form: &str) -> Option<Vec<u8>> {
        self.is_latin.then(|| form.chars().map(|letter| u8::try_from(letter).ok()).collect())?
    }
}

/// Decodes a document from one of the two supported encodings; the flag is true for ISO-8859-1.
fn decode(bytes: &[u8]) -> Result<(Cow<'_, str>, bool), UnreadableDocument> {
    if bytes.starts_with(&[0xfe, 0xff]) || bytes.starts_with(&[0xff, 0xfe]) || bytes.contains(&0) {
        return Err(UnreadableDocument::because("the document is not in UTF-8; allowed: UTF-8 and ISO-8859-1"));
    }
    let bytes = bytes.strip_prefix(&[0xef, 0xbb, 0xbf]).unwrap_or(bytes);
    let declared = declared_encoding(bytes).unwrap_or_else(|| "utf-8".to_owned());
    let (text, is_latin) = match declared.as_str() {
        "utf-8" | "utf8" | "us-ascii" | "ascii" => {
            let text = std::str::from_utf8(bytes).map_err(|_| {
                UnreadableDocument::because("the document is not in the encoding that it declares, UTF-8")
            })?;
            (Cow::Borrowed(text), false)
        }
        // A forwarder may have changed the declared encoding, which is not signed. Text in ISO-8859-1 that happens to
        // be valid UTF-8 does not occur.
        "iso-8859-1" | "latin1" | "latin-1" if !bytes.is_ascii() && std::str::from_utf8(bytes).is_ok() => {
            (String::from_utf8_lossy(bytes), false)
        }
        "iso-8859-1" | "latin1" | "latin-1" => (Cow::Owned(bytes.iter().copied().map(char::from).collect()), true),
        _ => {
            return Err(UnreadableDocument::because(
                "the document declares an encoding other than UTF-8 and ISO-8859-1",
            ));
        }
    };
    if text.chars().all(is_xml) { Ok((text, is_latin)) } else { Err(UnreadableDocument::because(NO_CHARACTER)) }
}

const NO_CHARACTER: &str = "the document holds a character that XML does not allow";

/// Returns the encoding that the XML declaration names, in lower case. The declaration is ASCII in every supported
/// encoding.
fn declared_encoding(bytes: &[u8]) -> Option<String> {
    let line = bytes.strip_prefix(b"<?xml")?;
    let end = line.windows(2).take(200).position(|pair| pair == b"?>")?;
    let line = std::str::from_utf8(line.get(..end)?).ok()?;
    let (_, value) = line.split_once("encoding")?;
    let value = value.trim_start().strip_prefix('=')?.trim_start();
    let quote = value.chars().next().filter(|quote| ['"', '\''].contains(quote))?;
    let (name, _) = value.get(1..)?.split_once(quote)?;
    Some(name.trim().to_ascii_lowercase())
}

/// Returns true for a character that XML 1.0 allows.
fn is_xml(letter: char) -> bool {
    matches!(letter, '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

/// A piece of a document, with entities resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum DocumentPiece<'a> {
    /// Start of an element, at this byte of the text.
    Open { name: String, attributes: Vec<(String, String)>, at: usize },
    /// Text. One text may be split into several pieces.
    Text(String),
    /// A CDATA section.
    Literal(String),
    /// A comment.
    Comment(Cow<'a, str>),
    /// End of the element that was opened last, before this byte of the text.
    Close { end: usize },
}

/// Splits a whole, well-formed document into pieces. Only XML's five entities and character references are expanded,
/// nothing is fetched, and nothing recurses.
pub(super) fn pieces(text: &str) -> Result<Vec<DocumentPiece<'_>>, UnreadableDocument> {
    let mut reader = Reader::from_str(text);
    reader.config_mut().check_comments = true;
    let (mut pieces, mut depth, mut roots) = (Vec::new(), 0_usize, 0_usize);
    loop {
        let at = position(&reader)?;
        let event =
            reader.read_event().map_err(|_| UnreadableDocument::because("the document is not well-formed XML"))?;
        let end = position(&reader)?;
        let outside = depth == 0;
        match event {
            Event::Start(start) => {
                depth = depth.saturating_add(1);
                roots = roots.saturating_add(usize::from(outside));
                pieces.push(open(&start, at)?);
            }
            Event::Empty(start) => {
                roots = roots.saturating_add(usize::from(outside));
                pieces.extend([open(&start, at)?, DocumentPiece::Close { end }]);
            }
            Event::End(_) => {
                depth = depth.saturating_sub(1);
                pieces.push(DocumentPiece::Close { end });
            }
            Event::Text(text) if outside => {
                if !text.trim().is_empty() {
                    return Err(UnreadableDocument::because("the document has text outside of its elements"));
                }
            }
            Event::Text(text) => pieces.push(DocumentPiece::Text(text.xml10_content().into_owned())),
            Event::CData(text) => pieces.push(DocumentPiece::Literal(text.xml10_content().into_owned())),
            Event::GeneralRef(reference) => {
                let letter = || reference.resolve_char_ref().ok().flatten().filter(|letter| is_xml(*letter));
                let text = resolve_xml_entity(&reference).map(str::to_owned).or_else(|| letter().map(String::from));
                pieces.push(DocumentPiece::Text(text.ok_or_else(|| {
                    UnreadableDocument::because("the document uses an entity; allowed are the five of XML itself")
                })?));
            }
            Event::Comment(text) => pieces.push(DocumentPiece::Comment(text.into_inner())),
            Event::Decl(_) => {
                if at != 0 {
                    return Err(UnreadableDocument::because("the document declares itself in the middle"));
                }
            }
            Event::DocType(_) => return Err(UnreadableDocument::because("a document type is not allowed here")),
            Event::PI(_) => return Err(UnreadableDocument::because("a processing instruction is not allowed here")),
            Event::Eof => break,
        }
        if depth > MAX_DEPTH || pieces.len() > MAX_PIECES || roots > 1 {
            return Err(UnreadableDocument::because(format!(
                "the document is not a notice: it has more than one root, more than {MAX_DEPTH} levels or more than \
                 {MAX_PIECES} pieces"
            )));
        }
    }
    if depth == 0 && roots == 1 { Ok(pieces) } else { Err(UnreadableDocument::because("the document ends too early")) }
}

fn position(reader: &Reader<&[u8]>) -> Result<usize, UnreadableDocument> {
    usize::try_from(reader.buffer_position()).map_err(|_| UnreadableDocument::because("the document is too large"))
}

fn open<'a>(start: &BytesStart<'_>, at: usize) -> Result<DocumentPiece<'a>, UnreadableDocument> {
    let wrong = || UnreadableDocument::because("an attribute in the document is not well-formed");
    let mut attributes = Vec::new();
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|_| wrong())?;
        let value = attribute.normalized_value(XmlVersion::Implicit1_0).map_err(|_| wrong())?;
        if !value.chars().all(is_xml) {
            return Err(UnreadableDocument::because(NO_CHARACTER));
        }
        attributes.push((attribute.key.into_inner().to_owned(), value.into_owned()));
    }
    Ok(DocumentPiece::Open { name: start.name().into_inner().to_owned(), attributes, at })
}

/// The parts of a notice's document.
struct NoticeParts<'a> {
    checksum: String,
    /// The signed element as received.
    result: &'a str,
    /// The signed element as an XML library writes it back.
    written: String,
}

impl<'a> NoticeParts<'a> {
    fn find(text: &'a str, pieces: &[DocumentPiece<'_>]) -> Result<Self, UnreadableDocument> {
        let Some(DocumentPiece::Open { name, .. }) =
            pieces.iter().find(|piece| matches!(piece, DocumentPiece::Open { .. }))
        else {
            return Err(UnreadableDocument::because("the document is empty"));
        };
        if name != "notification" {
            return Err(UnreadableDocument::because("the document is no notice: its root is not <notification>"));
        }
        let (mut checksum, mut result) = (None, None);
        for child in children(pieces) {
            let twice = match child.name {
                "md5content" => checksum.replace(child.text()).is_some(),
                "result" => result.replace(child).is_some(),
                _ => false,
            };
            if twice {
                return Err(UnreadableDocument::because("<md5content> or <result> stands there twice"));
            }
        }
        let checksum = checksum.ok_or_else(|| UnreadableDocument::because("<md5content> is missing"))?;
        let result = result.ok_or_else(|| UnreadableDocument::because("<result> is missing"))?;
        let stands =
            text.get(result.at..result.end).ok_or_else(|| UnreadableDocument::because("<result> is cut off"))?;
        Ok(Self { checksum, result: stands, written: written_back(result.pieces) })
    }
}

/// An element directly below the root.
pub(super) struct Element<'p> {
    pub(super) name: &'p str,
    at: usize,
    end: usize,
    /// All pieces of the element, from its start to its end.
    pieces: &'p [DocumentPiece<'p>],
}

impl Element<'_> {
    /// Returns all text in the element, trimmed.
    pub(super) fn text(&self) -> String {
        let mut whole = String::new();
        for piece in self.pieces {
            match piece {
                DocumentPiece::Text(text) | DocumentPiece::Literal(text) => whole.push_str(text),
                DocumentPiece::Open { .. } | DocumentPiece::Comment(_) | DocumentPiece::Close { .. } => {}
            }
        }
        whole.trim().to_owned()
    }
}

/// Returns the elements directly below the root, in their order.
pub(super) fn children<'p>(pieces: &'p [DocumentPiece<'p>]) -> Vec<Element<'p>> {
    let (mut children, mut depth, mut opened) = (Vec::new(), 0_usize, None);
    for (index, piece) in pieces.iter().enumerate() {
        match piece {
            DocumentPiece::Open { name, at, .. } => {
                depth = depth.saturating_add(1);
                if depth == 2 {
                    opened = Some((index, name, *at));
                }
            }
            DocumentPiece::Close { end } => {
                depth = depth.saturating_sub(1);
                if depth == 1
                    && let Some((first, name, at)) = opened.take()
                    && let Some(pieces) = pieces.get(first..=index)
                {
                    children.push(Element { name, at, end: *end, pieces });
                }
            }
            DocumentPiece::Text(_) | DocumentPiece::Literal(_) | DocumentPiece::Comment(_) => {}
        }
    }
    children
}

/// Writes an element as an XML library does: short empty elements, double quotes, no unnecessary entities.
fn written_back(pieces: &[DocumentPiece<'_>]) -> String {
    let mut written = String::new();
    let mut open: Vec<&str> = Vec::new();
    for (index, piece) in pieces.iter().enumerate() {
        match piece {
            DocumentPiece::Open { name, attributes, .. } => {
                written.extend(["<", name]);
                for (key, value) in attributes {
                    written.extend([" ", key, "=\""]);
                    write_escaped(&mut written, value, true);
                    written.push('"');
                }
                let is_empty = matches!(pieces.get(index.saturating_add(1)), Some(DocumentPiece::Close { .. }));
                written.push_str(if is_empty { "/>" } else { ">" });
                open.push(name);
            }
            DocumentPiece::Close { .. } => {
                let name = open.pop().unwrap_or_default();
                let before = index.checked_sub(1).and_then(|before| pieces.get(before));
                if !matches!(before, Some(DocumentPiece::Open { .. })) {
                    written.extend(["</", name, ">"]);
                }
            }
            DocumentPiece::Text(text) => write_escaped(&mut written, text, false),
            DocumentPiece::Literal(text) => written.extend(["<![CDATA[", text, "]]>"]),
            DocumentPiece::Comment(text) => written.extend(["<!--", text, "-->"]),
        }
    }
    written
}

fn write_escaped(written: &mut String, text: &str, in_attribute: bool) {
    for letter in text.chars() {
        match letter {
            '<' => written.push_str("&lt;"),
            '>' => written.push_str("&gt;"),
            '&' => written.push_str("&amp;"),
            '\r' => written.push_str("&#13;"),
            '"' if in_attribute => written.push_str("&quot;"),
            '\n' if in_attribute => written.push_str("&#10;"),
            '\t' if in_attribute => written.push_str("&#9;"),
            plain => written.push(plain),
        }
    }
}

/// Removes newlines and tabs, and the spaces between `>` and `<`.
fn compact(text: &str) -> String {
    let mut compact = String::with_capacity(text.len());
    // Spaces directly after a `>`: the next character decides whether they are kept.
    let mut spaces = None;
    for letter in text.chars().filter(|letter| !matches!(letter, '\n' | '\r' | '\t')) {
        match (letter, spaces) {
            (' ', Some(count)) => {
                spaces = Some(u32::saturating_add(count, 1));
                continue;
            }
            ('<', _) | (_, None) => {}
            (_, Some(count)) => compact.extend((0..count).map(|_| ' ')),
        }
        compact.push(letter);
        spaces = (letter == '>').then_some(0);
    }
    compact
}

/// Writes every non-ASCII character as a numeric reference, as libraries do if no encoding is declared.
fn ascii(text: &str) -> String {
    let mut ascii = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter.is_ascii() {
            ascii.push(letter);
        } else {
            ascii.extend(["&#x", &format!("{:X}", u32::from(letter)), ";"]);
        }
    }
    ascii
}

fn checksum(text: &str) -> Result<[u8; 16], UnreadableDocument> {
    let wrong = || UnreadableDocument::because("<md5content> is not a checksum of 32 hexadecimal digits");
    unhex(text.as_bytes()).and_then(|bytes| bytes.try_into().ok()).ok_or_else(wrong)
}
