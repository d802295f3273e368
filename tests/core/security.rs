//! docs/security.md names a test for everything that it says: each of them is there, and has the words that the document calls it by.
#![allow(clippy::expect_used, reason = "a test's helpers")]

use std::path::Path;

#[test]
fn the_security_review_names_tests_that_are_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let review = std::fs::read_to_string(root.join("docs/security.md")).expect("the review");
    let mut claims = 0;
    for line in
        review.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| | ") && !line.starts_with("| ---"))
    {
        let shown = line.trim_end_matches(" |").rsplit(" | ").next().expect("a column");
        let (file, words) = shown.split_once(": ").expect("a test and its words");
        let test = std::fs::read_to_string(root.join(file)).unwrap_or_default();
        assert!(!test.is_empty(), "{file} is not there: {line}");
        let mut named = 0;
        for word in words.split('`').skip(1).step_by(2) {
            assert!(test.contains(word), "{file} does not say \"{word}\"");
            named += 1;
        }
        assert!(named > 0, "nothing of {file} is named: {line}");
        claims += 1;
    }
    assert!(claims >= 25, "only {claims} claims were found");
}
