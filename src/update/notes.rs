//! Release notes for a page.

use pulldown_cmark::{CowStr, Event, HeadingLevel, Parser, Tag, TagEnd, html};

/// Renders notes in Markdown as HTML that is safe in a page, whatever they contain: their HTML is shown as text, images
/// are shown by their description, and a link leads to the web or is dropped. Headings begin below those of a page.
pub fn notes_html(markdown: &str) -> String {
    let mut dropped_links = Vec::new();
    let events = Parser::new(markdown).filter_map(|event| match event {
        Event::Html(text) | Event::InlineHtml(text) => Some(Event::Text(text)),
        Event::Start(Tag::Image { .. }) | Event::End(TagEnd::Image) => None,
        Event::Start(Tag::HtmlBlock) => Some(Event::Start(Tag::Paragraph)),
        Event::End(TagEnd::HtmlBlock) => Some(Event::End(TagEnd::Paragraph)),
        Event::Start(Tag::Link { ref dest_url, .. }) => {
            let safe = is_web(dest_url);
            dropped_links.push(!safe);
            safe.then_some(event)
        }
        Event::End(TagEnd::Link) => (dropped_links.pop() == Some(false)).then_some(event),
        Event::Start(Tag::Heading { level, .. }) => {
            Some(Event::Start(Tag::Heading { level: below(level), id: None, classes: Vec::new(), attrs: Vec::new() }))
        }
        Event::End(TagEnd::Heading(level)) => Some(Event::End(TagEnd::Heading(below(level)))),
        Event::Start(_)
        | Event::End(_)
        | Event::Text(_)
        | Event::Code(_)
        | Event::InlineMath(_)
        | Event::DisplayMath(_)
        | Event::FootnoteReference(_)
        | Event::SoftBreak
        | Event::HardBreak
        | Event::Rule
        | Event::TaskListMarker(_) => Some(event),
    });
    let mut page = String::new();
    html::push_html(&mut page, events);
    page
}

/// Returns true if the notes have a heading whose text in lower case is `title`.
pub(super) fn has_section(markdown: &str, title: &str) -> bool {
    let mut events = Parser::new(markdown);
    while let Some(event) = events.next() {
        if !matches!(event, Event::Start(Tag::Heading { .. })) {
            continue;
        }
        let mut text = String::new();
        for part in events.by_ref().take_while(|event| !matches!(event, Event::End(TagEnd::Heading(_)))) {
            if let Event::Text(part) | Event::Code(part) = part {
                text.push_str(&part);
            }
        }
        if text.trim().to_lowercase() == title {
            return true;
        }
    }
    false
}

fn is_web(address: &CowStr<'_>) -> bool {
    let lower = address.trim().to_ascii_lowercase();
    lower.starts_with("https://") || lower.starts_with("http://")
}

fn below(level: HeadingLevel) -> HeadingLevel {
    match level {
        HeadingLevel::H1 => HeadingLevel::H3,
        HeadingLevel::H2 => HeadingLevel::H4,
        HeadingLevel::H3 => HeadingLevel::H5,
        HeadingLevel::H4 | HeadingLevel::H5 | HeadingLevel::H6 => HeadingLevel::H6,
    }
}

#[cfg(test)]
mod tests;
