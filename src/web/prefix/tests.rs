//! Tests of `web/prefix.rs`.

use super::*;

/// Checks that [`LINKS`] has every attribute that a script reads an address from or a template writes one into.
#[test]
fn no_attribute_that_leads_somewhere_is_missing() {
    let ui = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("ui");
    let script = std::fs::read_to_string(ui.join("assets/cashout.js")).unwrap();
    for file in std::fs::read_dir(ui.join("templates")).unwrap().map(|file| file.unwrap().path()) {
        let template = std::fs::read_to_string(&file).unwrap();
        for (before, after) in template.split("=\"").zip(template.split("=\"").skip(1)) {
            let name = before.rsplit(char::is_whitespace).next().unwrap();
            let value = after.split('"').next().unwrap();
            let address = value.starts_with('/')
                || value.starts_with("{{") && ["address", "link("].iter().any(|it| value.contains(it));
            let shown = ["value", "aria-keyshortcuts"].contains(&name) || value.contains(".value(");
            let asked = script.contains("EventSource") && name.starts_with("data-") && value.contains("events");
            assert!(shown || !(address || asked) || LINKS.contains(&name), "{}: {name}={value}", file.display());
        }
    }
}

#[test]
fn links_carry_the_path_and_what_was_typed_does_not() {
    let page = "<a href=\"/x\">a</a><input name=\"q\" value=\"/x\"><div\n hx-get=\"/y?z=/\" data-page=\"/z\"></div>";
    let carried =
        "<a href=\"/p/x\">a</a><input name=\"q\" value=\"/x\"><div\n hx-get=\"/p/y?z=/\" data-page=\"/z\"></div>";
    assert_eq!(with_path(page, "/p"), carried);
}

#[test]
fn only_the_whole_path_is_taken_off() {
    let of = |path: &str| strip(&path.parse().unwrap(), "/pay/out").map(|uri| uri.to_string());
    assert_eq!(of("/pay/out/dashboard?a=/b").as_deref(), Some("/dashboard?a=/b"));
    assert_eq!(of("/pay/out").as_deref(), Some("/"));
    assert_eq!(of("/pay/out/").as_deref(), Some("/"));
    for path in ["/dashboard", "/pay/outside", "/pay", "/", "/x/pay/out/dashboard"] {
        assert_eq!(of(path), None, "{path}");
    }
    assert_eq!(strip(&"/dashboard".parse().unwrap(), ""), None);
}
