//! The address of a list, which is its state: filters, order and page. Links change one of them.

/// The address under which a page was requested.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    path: String,
    pairs: Vec<(String, String)>,
}

impl Address {
    /// Creates an address from a path and a query; empty values are left out.
    pub(super) fn new(path: &str, query: Option<&str>) -> Self {
        let pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        let pairs = pairs.into_owned().filter(|(_, value)| !value.trim().is_empty());
        Self { path: path.to_owned(), pairs: pairs.collect() }
    }

    /// Returns the path alone.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// Returns the value of `key`; empty if it is not set.
    pub(super) fn value(&self, key: &str) -> &str {
        self.pairs.iter().find(|(name, _)| name == key).map_or("", |(_, value)| value)
    }

    /// Returns true if `key` is set to `value`.
    pub(super) fn has(&self, key: &str, value: &str) -> bool {
        self.value(key) == value
    }

    /// Removes keys that are not part of the list's state.
    pub(super) fn except(self, keys: &[&str]) -> Self {
        let pairs = self.pairs.into_iter().filter(|(key, _)| !keys.contains(&key.as_str()));
        Self { path: self.path, pairs: pairs.collect() }
    }

    /// Returns the query.
    pub(super) fn query(&self) -> String {
        form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.pairs).finish()
    }

    /// Returns this address as text.
    pub(super) fn current(&self) -> String {
        self.changed(&self.path, &[], &[])
    }

    /// Returns true if a page has this many rows.
    pub(super) fn has_rows(&self, rows: &str) -> bool {
        self.has("per_page", rows) || (self.has("per_page", "") && rows == "50")
    }

    /// Returns true if anything narrows the list down.
    pub(super) fn narrows(&self) -> bool {
        const ORDER: [&str; 5] = ["page", "per_page", "sort", "cursor", "lang"];
        self.pairs.iter().any(|(key, _)| !ORDER.contains(&key.as_str()))
    }

    /// Returns the address of the list with `key` set to `value`, from its first page.
    pub(super) fn with(&self, key: &str, value: &str) -> String {
        self.changed(&self.path, &[key, "page", "cursor"], &[(key, value)])
    }

    /// Returns the address of another page of the list.
    pub(super) fn page(&self, number: u32, cursor: Option<&str>) -> String {
        let number = number.to_string();
        let mut to = vec![("page", number.as_str())];
        to.extend(cursor.map(|cursor| ("cursor", cursor)));
        self.changed(&self.path, &["page", "cursor"], &to)
    }

    /// Returns the address of the whole list as a file, in the same order.
    pub(super) fn export(&self) -> String {
        self.changed(&format!("{}.csv", self.path), &["page", "cursor", "per_page"], &[])
    }

    /// Returns the address of this page in another language.
    pub(super) fn in_language(&self, code: &str) -> String {
        self.changed(&self.path, &["lang"], &[("lang", code)])
    }

    /// Returns the address of another page about the same list.
    pub(super) fn beside(&self, path: &str) -> String {
        self.changed(path, &["page", "cursor", "per_page", "sort"], &[])
    }

    /// Returns the address of this page with `key` not set.
    pub(super) fn without(&self, key: &str) -> String {
        self.changed(&self.path, &[key], &[])
    }

    fn changed(&self, path: &str, without: &[&str], with: &[(&str, &str)]) -> String {
        let kept = self.pairs.iter().filter(|(key, _)| !without.contains(&key.as_str()));
        let kept = kept.map(|(key, value)| (key.as_str(), value.as_str()));
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(kept).extend_pairs(with).finish();
        if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
    }
}

#[cfg(test)]
mod tests;
