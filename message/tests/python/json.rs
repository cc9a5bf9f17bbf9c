use message::{Envelope, EnvelopeError, json};

use crate::documents::document;
use crate::{python, random};

const DOCUMENTS: usize = 25_000;

/// As `json.dumps` writes them: canonical and pretty; `None` for a document that Python refuses.
type Answer = Option<(String, String)>;

#[test]
fn documents_are_accepted_refused_and_written_as_by_python() {
    let mut random = random();
    let mut documents: Vec<Vec<u8>> = (0..DOCUMENTS).map(|_| document(&mut random)).collect();
    documents.push(["[".repeat(1000), "]".repeat(1000)].concat().into_bytes());
    documents.push([r#"{"a":"#.repeat(1000), "1".to_owned(), "}".repeat(1000)].concat().into_bytes());
    documents.extend((0..=127).map(|byte| vec![b'"', byte, b'"']));

    let cases: Vec<String> =
        documents.iter().map(|bytes| bytes.iter().copied().map(char::from).collect()).collect();
    let answers: Vec<Answer> = python("rewritten", &cases);
    let accepted = answers.iter().flatten().count();
    assert!(
        (DOCUMENTS / 3..DOCUMENTS * 4 / 5).contains(&accepted),
        "{accepted} of {DOCUMENTS}: a poor sample"
    );

    for (document, answer) in documents.iter().zip(answers) {
        let shown = String::from_utf8_lossy(document);
        let is_object = answer.as_ref().map(|(canonical, _)| canonical.starts_with('{'));
        match Envelope::parse(document) {
            Ok(_) => assert_eq!(is_object, Some(true), "{shown}"),
            Err(EnvelopeError::NotAnObject) => assert_eq!(is_object, Some(false), "{shown}"),
            Err(error) => assert_eq!(is_object, None, "{shown}: {error}"),
        }
        let ours = std::str::from_utf8(document).ok().and_then(|text| {
            let canonical = String::from_utf8(json::canonical(text).ok()?).unwrap();
            Some((canonical, String::from_utf8(json::pretty(text).ok()?).unwrap()))
        });
        assert_eq!(ours, answer, "{shown}");
    }
}
