//! Tests of `update/notes.rs`.

use proptest::prelude::*;

use super::*;

#[test]
fn notes_look_as_they_are_meant() {
    let html = notes_html("# 1.2.0\n\n- **pays** in [time](https://example.com/a?b&c)\n- `fix`\n");
    for part in ["<h3>1.2.0</h3>", "<strong>pays</strong>", "href=\"https://example.com/a?b&amp;c\"", "<code>fix"] {
        assert!(html.contains(part), "{part} in {html}");
    }
}

#[test]
fn a_section_is_found_by_its_heading_alone() {
    let has = |notes: &str| has_section(notes, "security");
    assert!(has("### Security\n\n- A hole.") && has("# 1.2.3\n\n## **Security**\n") && has("SECURITY\n---\n"));
    for notes in
        ["", "security", "### Security of the house", "```\n### Security\n```", "    ### Security", "<h3>Security</h3>"]
    {
        assert!(!has(notes), "{notes}");
    }
}

#[test]
fn nothing_that_acts_comes_through() {
    let hostile = [
        "<script>alert(1)</script>",
        "hi <img src=x onerror=alert(1)> there",
        "[x](javascript:alert(1))",
        "[x](  JaVaScRiPt:alert(1))",
        "[x](data:text/html;base64,PHNjcmlwdD4=)",
        "![x](https://evil.example/pixel.png)",
        "<a href=\"javascript:x\" style=\"position:fixed\">x</a>",
        "<div\nonclick=alert(1)>\n\ntext",
        "<javascript:alert(1)>",
        "[a]: javascript:alert(1)\n\n[a]",
        "# x {onclick=alert}",
        "[q](https://e.example/\"onmouseover=\"alert(1))",
        "```\"><script>\n<script>\n```",
    ];
    for notes in hostile {
        check(notes);
    }
    assert!(notes_html("<b>bold</b>").contains("&lt;b&gt;"));
    assert!(notes_html("![a picture](https://e.example/p.png)").contains("a picture"));
}

/// Checks that every tag is one that Markdown has, with no attribute but a link's address and those that Markdown sets.
fn check(notes: &str) {
    let html = notes_html(notes);
    let names =
        ["p", "h3", "h4", "h5", "h6", "ul", "ol", "li", "a", "em", "strong", "code", "pre", "blockquote", "hr", "br"];
    for tag in html.split('<').skip(1) {
        let tag = tag.split('>').next().unwrap();
        if let Some(closed) = tag.strip_prefix('/') {
            assert!(names.contains(&closed), "<{tag}> in {html}");
            continue;
        }
        let tag = tag.trim_end_matches('/').trim();
        let (name, rest) = tag.split_once(' ').unwrap_or((tag, ""));
        assert!(names.contains(&name), "<{tag}> in {html}");
        let allowed = match name {
            "a" => rest.starts_with("href=\"http"),
            "ol" => rest.is_empty() || rest.starts_with("start=\""),
            "code" => rest.is_empty() || rest.starts_with("class=\"language-"),
            _ => rest.is_empty(),
        };
        assert!(allowed, "<{tag}> in {html}");
    }
}

proptest! {
    #[test]
    fn whatever_the_notes_say(notes in "([<>\"'`#\\[\\]()!&;:/ \n*_-]|script|javascript:|https://|img|a|onload=){0,40}") {
        check(&notes);
    }
}
