//! Notifications in each of the three formats.

use super::EnterpriseNotice;

/// Writes a form the way HiPay does: an unescaped `+` and `:` in dates, spaces as `+`, plain brackets in names.
pub(super) fn form(notice: &EnterpriseNotice) -> String {
    let kind = (notice.root == "settlement").then(|| "notification_type=settlement".to_owned());
    let field = |(name, value): &(String, String)| {
        let is_date = name.contains("date");
        let encode = |byte: u8| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
            b':' | b'+' if is_date => char::from(byte).to_string(),
            b' ' => "+".to_owned(),
            _ => format!("%{byte:02X}"),
        };
        format!("{name}={}", value.bytes().map(encode).collect::<Vec<_>>().concat())
    };
    kind.into_iter().chain(notice.fields.iter().map(field)).collect::<Vec<_>>().join("&")
}

/// The content of one name: a value, or nested names.
enum Node {
    Value(String),
    Inner(Vec<(String, Node)>),
}

/// Builds the tree of names: `order[id]` becomes `id` in `order`.
fn tree(notice: &EnterpriseNotice) -> Vec<(String, Node)> {
    let mut top: Vec<(String, Node)> = Vec::new();
    for (name, value) in &notice.fields {
        let value = Node::Value(value.clone());
        match name.split_once('[') {
            None => top.push((name.clone(), value)),
            Some((outer, inner)) => {
                let inner = (inner.trim_end_matches(']').to_owned(), value);
                match top.last_mut() {
                    Some((known, Node::Inner(members))) if known == outer => members.push(inner),
                    _ => top.push((outer.to_owned(), Node::Inner(vec![inner]))),
                }
            }
        }
    }
    top
}

pub(super) fn xml(notice: &EnterpriseNotice) -> String {
    let root = notice.root;
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{root}>\n{}</{root}>\n", elements(&tree(notice)))
}

fn elements(nodes: &[(String, Node)]) -> String {
    let element = |(name, node): &(String, Node)| {
        // An element's name cannot begin with a digit.
        let name =
            if name.starts_with(|first: char| first.is_ascii_digit()) { format!("value{name}") } else { name.clone() };
        match node {
            Node::Value(value) => {
                let value = value.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
                format!("<{name}>{value}</{name}>\n")
            }
            Node::Inner(members) => format!("<{name}>\n{}</{name}>\n", elements(members)),
        }
    };
    nodes.iter().map(element).collect::<Vec<_>>().concat()
}

pub(super) fn json(notice: &EnterpriseNotice) -> String {
    format!("{{\"{}\": {}}}", notice.root, object(&tree(notice)))
}

fn object(nodes: &[(String, Node)]) -> String {
    let text = |text: &str| serde_json::Value::from(text).to_string();
    let member = |(name, node): &(String, Node)| match node {
        Node::Value(value) => format!("{}: {}", text(name), text(value)),
        Node::Inner(members) => format!("{}: {}", text(name), object(members)),
    };
    format!("{{{}}}", nodes.iter().map(member).collect::<Vec<_>>().join(", "))
}
