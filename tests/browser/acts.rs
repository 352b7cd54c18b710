//! What a person does in a window: click, fill in, choose, press a key; by the names that they read or
//! that are read to them.

use std::time::Duration;

use fantoccini::elements::{Element, ElementRef};
use fantoccini::key::Key;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::browser::Browser;
use crate::driver::Call;

/// How often what is on its way is looked for.
pub(crate) const GLANCE: Duration = Duration::from_millis(40);

/// What can be clicked.
const CLICKABLE: &str = "a[href], button, summary, label, input[type=submit], input[type=button], input[type=reset], \
     input[type=checkbox], input[type=radio], [role=button], [role=link], [role=tab], [role=menuitem], [role=switch]";
/// What can be filled in.
const FIELD: &str = "input:not([type=hidden]):not([type=submit]):not([type=button]):not([type=reset]), textarea";
const CHOICE: &str = "select";

/// Elements that are seen and may be called `name`, each with its way out: how many steps up a part of
/// the page says `place` too (-1: none does). The browser has the last word on names.
const CANDIDATES: &str = "
    const [selector, name, place] = arguments;
    const flat = text => (text || '').replace(/\\s+/g, ' ').trim();
    const seen = element => element.checkVisibility({visibilityProperty: true});
    const called = element => [
        element.innerText, element.textContent, element.getAttribute('aria-label'), element.title, element.placeholder,
        /^(submit|button|reset)$/.test(element.type) ? element.value : '',
        ...[...(element.labels || [])].map(label => label.textContent),
        ...(element.getAttribute('aria-labelledby') || '').split(/\\s+/).filter(Boolean)
            .map(id => document.getElementById(id)?.textContent),
        ...[...element.querySelectorAll('img[alt], svg title')].map(image => image.alt || image.textContent),
    ].map(flat);
    const parts = 'tr, li, dl, article, section, fieldset, form, nav, dialog, details, header, footer, main';
    const way = element => {
        if (!place) return 0;
        let steps = 0;
        for (let part = element.closest(parts); part; part = part.parentElement?.closest(parts), steps++) {
            if (flat(part.innerText).includes(place) || flat(part.getAttribute('aria-label')) === place) return steps;
        }
        return -1;
    };
    return [...document.querySelectorAll(selector)].filter(seen)
        .map(element => ({element, called: called(element), way: way(element), goes: element.href || ''}))
        .filter(one => one.called.some(text => text.includes(name)) && one.way >= 0)
        .map(one => ({...one, says: one.called.includes(name)}));";

/// Everything that can be used, by the best of its names: for the message where one is missed.
const NAMES: &str = "
    const flat = text => (text || '').replace(/\\s+/g, ' ').trim();
    return [...new Set([...document.querySelectorAll(arguments[0])]
        .filter(element => element.checkVisibility({visibilityProperty: true}))
        .map(element => flat(element.getAttribute('aria-label') || element.labels?.[0]?.textContent
            || element.innerText || element.value || element.title)))].slice(0, 60);";

/// An element and what is known of it.
struct Candidate {
    element: Element,
    /// Its visible text is the name.
    says: bool,
    way: u64,
    goes: String,
}

impl Browser {
    /// Clicks what is called so: a link, a button, a box to tick, by its accessible name or what can be
    /// read on it.
    pub(crate) async fn click(&self, name: &str) {
        self.click_in("", name).await;
    }

    /// The same where several are called so: the one in the row, form or part of the page that says
    /// `place`.
    pub(crate) async fn click_in(&self, place: &str, name: &str) {
        self.collect().await;
        let deadline = Instant::now() + self.window.patience;
        loop {
            let element = self.the_one(CLICKABLE, place, name).await;
            // Replaced or covered while we looked: what comes instead is clicked.
            match element.click().await {
                Ok(()) => return,
                Err(error) if Instant::now() > deadline => {
                    self.fail(&format!("\"{name}\" cannot be clicked: {error}")).await;
                }
                Err(_) => tokio::time::sleep(GLANCE).await,
            }
        }
    }

    /// Fills in the field with this label, in place of what was in it. A date is given as `2026-11-21`.
    pub(crate) async fn fill(&self, label: &str, value: &str) {
        let field = self.the_one(FIELD, "", label).await;
        let kind = field.prop("type").await.unwrap().unwrap_or_default();
        if matches!(kind.as_str(), "date" | "datetime-local" | "time" | "month" | "color" | "range") {
            // Their keys differ by language and machine.
            let set = "const [field, value] = arguments; field.value = value;
                ['input', 'change'].forEach(kind => field.dispatchEvent(new Event(kind, {bubbles: true})));";
            self.execute(set, vec![json!(field), json!(value)]).await.unwrap();
            return;
        }
        field.clear().await.unwrap();
        field.send_keys(value).await.unwrap();
    }

    /// Chooses from the list with this label, by what is read there or by the value behind it.
    pub(crate) async fn choose(&self, label: &str, option: &str) {
        let list = self.the_one(CHOICE, "", label).await;
        let find = "const [list, wanted] = arguments;
            const options = [...list.options];
            return options.find(one => one.text.trim() === wanted) || options.find(one => one.value === wanted) || null;";
        let found = self.execute(find, vec![json!(list), json!(option)]).await.unwrap();
        match self.element(&found) {
            Some(found) => found.click().await.unwrap(),
            None => self.fail(&format!("\"{label}\" does not offer \"{option}\"")).await,
        }
    }

    /// What is in the field with this label; of a list, what is read there.
    pub(crate) async fn value(&self, label: &str) -> String {
        let field = self.the_one(&format!("{FIELD}, {CHOICE}"), "", label).await;
        let read =
            "const [field] = arguments; return field.selectedOptions ? field.selectedOptions[0]?.text : field.value;";
        let value = self.execute(read, vec![json!(field)]).await.unwrap();
        value.as_str().unwrap_or_default().trim().to_owned()
    }

    /// Presses a key where the keyboard is.
    pub(crate) async fn press(&self, key: Key) {
        self.collect().await;
        self.client.active_element().await.unwrap().send_keys(&key.to_string()).await.unwrap();
    }

    /// Types where the keyboard is.
    pub(crate) async fn type_in(&self, text: &str) {
        self.client.active_element().await.unwrap().send_keys(text).await.unwrap();
    }

    /// The name of what the keyboard acts on; empty where that is nothing.
    pub(crate) async fn focused(&self) -> String {
        let element = self.client.active_element().await.unwrap();
        if element.tag_name().await.unwrap() == "body" {
            return String::new();
        }
        self.name_of(&element).await
    }

    /// The only element that is called so. Waits for it.
    async fn the_one(&self, selector: &str, place: &str, name: &str) -> Element {
        let deadline = Instant::now() + self.window.patience;
        loop {
            let found = self.called(selector, place, name).await;
            let goes_to_one = found
                .iter()
                .all(|one| !one.goes.is_empty() && Some(&one.goes) == found.first().map(|first| &first.goes));
            let number = found.len();
            if number == 1 || (number > 1 && goes_to_one) {
                return found.into_iter().next().expect("there is one").element;
            }
            if Instant::now() > deadline {
                let known = self.execute(NAMES, vec![json!(selector)]).await.unwrap_or_default();
                let of_place = if place.is_empty() { String::new() } else { format!(" in \"{place}\"") };
                let why = match number {
                    0 => format!("nothing is called \"{name}\"{of_place}"),
                    _ => format!("{number} are called \"{name}\"{of_place}: say in which part of the page"),
                };
                self.fail(&format!("{why}; there are {known}")).await;
            }
            tokio::time::sleep(GLANCE).await;
        }
    }

    /// All that are called so, nearest to the place. A label gives way to its field.
    async fn called(&self, selector: &str, place: &str, name: &str) -> Vec<Candidate> {
        let arguments = vec![json!(selector), json!(name), json!(place)];
        // Between two pages there is nothing to be found.
        let found = self.execute(CANDIDATES, arguments).await.unwrap_or_default();
        let mut called = Vec::new();
        for one in found.as_array().into_iter().flatten() {
            let Some(element) = self.element(&one["element"]) else { continue };
            let candidate = Candidate {
                says: one["says"] == true,
                way: one["way"].as_u64().unwrap_or_default(),
                goes: one["goes"].as_str().unwrap_or_default().to_owned(),
                element,
            };
            called.push((self.name_of(&candidate.element).await == name, candidate));
        }
        let named = called.iter().any(|(named, _)| *named);
        let mut right: Vec<Candidate> = called
            .into_iter()
            .filter(|(of_name, one)| if named { *of_name } else { one.says })
            .map(|(_, one)| one)
            .collect();
        let nearest = right.iter().map(|one| one.way).min().unwrap_or_default();
        right.retain(|one| one.way == nearest);
        right
    }

    async fn name_of(&self, element: &Element) -> String {
        let name = self.client.issue_cmd(Call::accessible_name(&element.element_id())).await;
        let name = name.ok().and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default();
        name.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    fn element(&self, answer: &Value) -> Option<Element> {
        let id = answer.as_object()?.values().next()?.as_str()?;
        Some(Element::from_element_id(self.client.clone(), ElementRef::from(id.to_owned())))
    }
}
