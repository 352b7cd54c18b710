//! Forms in the format that HiPay accepts: `multipart/form-data`, with or without files.

/// A `multipart/form-data` body that is identical, byte for byte, each time it is made from the same fields.
#[derive(Clone, Default)]
pub struct Multipart {
    parts: Vec<(String, Vec<u8>)>,
}

impl Multipart {
    /// Adds a text field.
    pub fn field(&mut self, name: &str, value: impl Into<String>) {
        let disposition = format!("Content-Disposition: form-data; name=\"{}\"\r\n\r\n", quotable(name));
        self.parts.push((disposition, value.into().into_bytes()));
    }

    /// Adds a file.
    pub fn file(&mut self, name: &str, file_name: &str, bytes: Vec<u8>) {
        let disposition = format!(
            "Content-Disposition: form-data; name=\"{}\"; filename=\"{}\"\r\nContent-Type: application/octet-stream\r\n\r\n",
            quotable(name),
            quotable(file_name)
        );
        self.parts.push((disposition, bytes));
    }

    /// Returns the value of the `Content-Type` header, and the body.
    pub fn encode(&self) -> (String, Vec<u8>) {
        // A boundary that occurs in no part: count up until one does not.
        let occurs = |boundary: &str| {
            self.parts
                .iter()
                .any(|(_, value)| value.windows(boundary.len()).any(|window| window == boundary.as_bytes()))
        };
        let mut number = 0_u64;
        let mut boundary = "cashout-form-0".to_owned();
        while occurs(&boundary) {
            number = number.wrapping_add(1);
            boundary = format!("cashout-form-{number}");
        }
        let mut body = Vec::new();
        for (disposition, value) in &self.parts {
            body.extend_from_slice(format!("--{boundary}\r\n{disposition}").as_bytes());
            body.extend_from_slice(value);
            body.extend_from_slice(b"\r\n");
        }
        body.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
        (format!("multipart/form-data; boundary={boundary}"), body)
    }
}

/// Escapes a name for a quoted header parameter, as browsers do.
fn quotable(name: &str) -> String {
    name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_same_fields_make_the_same_bytes_and_the_boundary_is_nowhere_inside(values in prop::collection::vec("(cashout-form-[0-9]|\r\n--|.){0,20}", 0..6)) {
            let mut form = Multipart::default();
            for value in &values {
                form.field("field", value.clone());
            }
            let (content_type, body) = form.encode();
            prop_assert_eq!(&form.encode().1, &body);
            let boundary = content_type.split_once("boundary=").unwrap().1.to_owned();
            prop_assert!(values.iter().all(|value| !value.contains(&boundary)));
        }
    }
}
