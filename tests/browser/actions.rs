//! A person's actions in a window: click, fill in, choose, press a key; elements are found by their
//! visible or accessible names.

use std::time::Duration;

use fantoccini::elements::{Element, ElementRef};
use fantoccini::key::Key;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::browser::Browser;
use crate::driver::Call;

/// Interval at which an expected change is checked for.
pub(crate) const GLANCE: Duration = Duration::from_millis(40);

/// Selector of the elements that can be clicked.
const CLICKABLE: &str = "a[href], button, summary, label, input[type=submit], input[type=button], input[type=reset], \
     input[type=checkbox], input[type=radio], [role=button], [role=link], [role=tab], [role=menuitem], [role=switch]";
/// Selector of the fields that can be filled in.
const FIELD: &str = "input:not([type=hidden]):not([type=submit]):not([type=button]):not([type=reset]), textarea";
const CHOICE: &str = "select";

/// Script that returns the visible elements that may have the name `name`, each with its distance: the number of steps
/// up to a part of the page that contains `place` (-1: none does). The browser decides about names.
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

/// Script that returns the best name of each usable element, for the message about a missing one.
const NAMES: &str = "
    const flat = text => (text || '').replace(/\\s+/g, ' ').trim();
    return [...new Set([...document.querySelectorAll(arguments[0])]
        .filter(element => element.checkVisibility({visibilityProperty: true}))
        .map(element => flat(element.getAttribute('aria-label') || element.labels?.[0]?.textContent
            || element.innerText || element.value || element.title)))].slice(0, 60);";

/// An element with its known properties.
struct Candidate {
    element: Element,
    /// Visible text equal to the name.
    says: bool,
    way: u64,
    goes: String,
}

impl Browser {
    /// Clicks the element with this name: a link, a button, a checkbox, by its accessible name or its visible text.
    pub(crate) async fn click(&self, name: &str) {
        self.click_in("", name).await;
    }

    /// Clicks the one of several elements with this name that is in the row, form or part of the page
    /// that contains `place`.
    pub(crate) async fn click_in(&self, place: &str, name: &str) {
        self.collect().await;
        let deadline = Instant::now() + self.window.patience;
        loop {
            let element = self.the_one(CLICKABLE, place, name).await;
            // Replaced or covered meanwhile: its replacement is clicked.
            match element.click().await {
                Ok(()) => return,
                Err(error) if Instant::now() > deadline => {
                    self.fail(&format!("\"{name}\" cannot be clicked: {error}")).await;
                }
                Err(_) => tokio::time::sleep(GLANCE).await,
            }
        }
    }

    /// Fills in the field with this label, replacing its content. A date is given as `2026-11-21`.
    pub(crate) async fn fill(&self, label: &str, value: &str) {
        let field = self.the_one(FIELD, "", label).await;
        let kind = field.prop("type").await.unwrap().unwrap_or_default();
        if matches!(kind.as_str(), "date" | "datetime-local" | "time" | "month" | "color" | "range") {
            // The keys for these fields differ by language and machine.
            let set = "const [field, value] = arguments; field.value = value;
                ['input', 'change'].forEach(kind => field.dispatchEvent(new Event(kind, {bubbles: true})));";
            self.execute(set, vec![json!(field), json!(value)]).await.unwrap();
            return;
        }
        field.clear().await.unwrap();
        field.send_keys(value).await.unwrap();
    }

    /// Chooses an option from the list with this label, by its text or its value.
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

    /// Returns the content of the field with this label; for a list, the visible text of the choice.
    pub(crate) async fn value(&self, label: &str) -> String {
        let field = self.the_one(&format!("{FIELD}, {CHOICE}"), "", label).await;
        let read =
            "const [field] = arguments; return field.selectedOptions ? field.selectedOptions[0]?.text : field.value;";
        let value = self.execute(read, vec![json!(field)]).await.unwrap();
        value.as_str().unwrap_or_default().trim().to_owned()
    }

    /// Presses a key in the focused element.
    pub(crate) async fn press(&self, key: Key) {
        self.collect().await;
        self.client.active_element().await.unwrap().send_keys(&key.to_string()).await.unwrap();
    }

    /// Types into the focused element.
    pub(crate) async fn type_in(&self, text: &str) {
        self.client.active_element().await.unwrap().send_keys(text).await.unwrap();
    }

    /// Returns the name of the focused element; empty if there is none.
    pub(crate) async fn focused(&self) -> String {
        let element = self.client.active_element().await.unwrap();
        if element.tag_name().await.unwrap() == "body" {
            return String::new();
        }
        self.name_of(&element).await
    }

    /// Waits for the only element with this name and returns it.
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

    /// Returns all elements with this name, nearest to the place. A label yields to its field.
    async fn called(&self, selector: &str, place: &str, name: &str) -> Vec<Candidate> {
        let arguments = vec![json!(selector), json!(name), json!(place)];
        // Between two pages nothing can be found.
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
