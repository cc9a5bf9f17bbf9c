//! What plugins log reaches the host.

use std::sync::Arc;

use plugin_api::loader::Library;
use plugin_api::tracing::level_filters::LevelFilter;
use plugin_api::{Delivery, FailureKind, Host};

use crate::host::TestHost;
use crate::plugin;

const MODULE: &str = "misbehaving::faults";

#[test]
fn records_come_with_name_level_fields_and_spans_and_the_level_can_change() {
    // A copy of its own: threads of a library belong to whichever of its consumers runs, and the level is one
    // for a library; in other tests others run at the same time.
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("libmisbehaving.so");
    std::fs::copy(plugin("misbehaving"), &copy).unwrap();
    let library = Library::open(&copy).unwrap();
    let talks = library.consumers().iter().find(|consumer| consumer.name() == "talks").unwrap();

    let host = Arc::new(TestHost::default());
    let mut talks = talks.start("{}", Arc::clone(&host) as Arc<dyn Host>).unwrap();
    assert_eq!(host.lines(), [format!("INFO talks {MODULE}: started")]);

    let delivery = Delivery::new("a.b", b"{}", "there");
    let spoken = [
        format!("WARN talks {MODULE}: by tracing attempt=1 span=outer{{topic=\"a.b\"}}:inner"),
        format!("WARN talks {MODULE}: by log, attempt 1"),
    ];
    assert_eq!(talks.consume(&[delivery]).failure.unwrap().kind(), FailureKind::Drop);
    let lines = host.lines();
    assert_eq!(lines[..2], spoken);
    assert_eq!(lines[2], format!("WARN misbehaving {MODULE}: by a thread"));
    assert!(lines[3].contains("a thread of the plugin panicked at "), "{}", lines[3]);
    assert!(lines[3].contains("faults.rs:") && lines[3].contains("a thread's end"), "{}", lines[3]);
    assert_eq!(lines.len(), 4);

    *host.level.lock().unwrap() = LevelFilter::DEBUG;
    talks.consume(&[delivery]).failure.unwrap();
    assert!(host.lines()[2].starts_with(&format!("DEBUG talks {MODULE}: in detail")));

    *host.level.lock().unwrap() = LevelFilter::OFF;
    talks.consume(&[delivery]).failure.unwrap();
    talks.stop().unwrap();
    assert!(host.lines().is_empty());
}
