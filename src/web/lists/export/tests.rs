//! Tests of `web/lists/export.rs`.

use proptest::prelude::*;

use super::*;

#[test]
fn what_a_spreadsheet_would_run_is_text() {
    assert_eq!(line(["=1+1", "-5", "@x", "a,b", "say \"no\""]), "'=1+1,'-5,'@x,\"a,b\",\"say \"\"no\"\"\"\r\n");
    assert_eq!(line([""; 2]), ",\r\n");
}

proptest! {
    #[test]
    fn every_cell_is_read_back_as_it_was(cells in prop::collection::vec(".{0,20}", 2..5)) {
        let text = line(["header"]) + &line(&cells);
        let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(text.as_bytes());
        let read: Vec<String> = reader.records().next().unwrap().unwrap().iter().map(str::to_owned).collect();
        let plain = |cell: &String| cell.strip_prefix('\'').unwrap_or(cell).to_owned();
        for (read, written) in read.iter().zip(&cells) {
            prop_assert!(read == written || plain(read) == *written);
            prop_assert!(!read.starts_with(['=', '+', '-', '@']));
        }
    }
}
