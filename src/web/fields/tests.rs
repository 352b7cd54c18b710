//! Tests of `web/fields.rs`.

use serde::Deserialize;

use super::*;

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Colour {
    Red,
    DarkBlue,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(transparent)]
struct Word(String);

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Form {
    name: String,
    number: Option<u32>,
    colour: Option<Colour>,
    #[serde(default)]
    sure: bool,
    word: Option<Word>,
}

fn read(query: &str) -> Result<Form, String> {
    read_fields(form_urlencoded::parse(query.as_bytes()))
        .map_err(|error: RequestFieldError| error.message(&["page"]).to_string())
}

#[test]
fn fields_are_read_as_their_types() {
    let all = read("name=%C3%A9+a&number=7&colour=dark-blue&sure=true&word=x").unwrap();
    let word = Some(Word("x".to_owned()));
    assert_eq!(all, Form { name: "é a".to_owned(), number: Some(7), colour: Some(Colour::DarkBlue), sure: true, word });
    let least = read("name=").unwrap();
    assert_eq!(least, Form { name: String::new(), number: None, colour: None, sure: false, word: None });
}

#[test]
fn an_error_names_the_field_and_what_is_allowed() {
    for (query, expected) in [
        ("number=1", "name is missing"),
        ("name=a&name=b", "name appears twice"),
        ("name=a&number=x", "number: not a whole number"),
        ("name=a&number=-1", "number: not a whole number"),
        ("name=a&number=4294967296", "number: not a whole number"),
        ("name=a&number=", "number: not a whole number"),
        ("name=a&sure=perhaps", "sure: allowed are true and false"),
        ("name=a&colour=green", "colour: unknown variant `green`; allowed: red, dark-blue"),
        ("name=a&size=1", "size: unknown field; allowed: name, number, colour, sure, word, page"),
    ] {
        assert_eq!(read(query), Err(expected.to_owned()), "{query}");
    }
}
