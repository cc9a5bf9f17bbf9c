use notify::event::{CreateKind, DataChange, ModifyKind, RemoveKind};

use super::*;

#[test]
fn only_changes_of_what_matters_count() {
    let wanted = Wanted {
        files: vec!["/etc/fedmsg/hub.toml".into()],
        folders: vec![("/etc/fedmsg/hub.d".into(), "toml"), ("/usr/lib/plugins".into(), "so")],
    };
    let matters = |kind, path: &str| wanted.matters(&Event::new(kind).add_path(path.into()));
    let (written, made) = (EventKind::Modify(ModifyKind::Any), EventKind::Create(CreateKind::Any));
    for path in [
        "/etc/fedmsg/hub.toml",
        "/etc/fedmsg/hub.d/10.toml",
        "/etc/fedmsg/hub.d",
        "/etc/fedmsg",
        "/usr/lib/plugins/libx.so",
        "/usr/lib/plugins",
    ] {
        assert!(matters(written, path) && matters(made, path), "{path}");
        assert!(matters(EventKind::Remove(RemoveKind::Any), path), "{path}");
        assert!(
            !matters(EventKind::Access(AccessKind::Open(AccessMode::Read)), path),
            "{path} is read by the hub"
        );
        assert!(matters(EventKind::Access(AccessKind::Close(AccessMode::Write)), path), "{path}");
        let being_written = EventKind::Modify(ModifyKind::Data(DataChange::Any));
        assert!(!matters(being_written, path), "{path} is not complete");
    }
    for path in
        ["/etc/fedmsg/hub.toml.swp", "/etc/fedmsg/hub.d/10.toml~", "/usr/lib/plugins/libx.so.dpkg-new"]
    {
        assert!(!matters(written, path), "{path}");
    }
    assert!(wanted.matters(&Event::new(EventKind::Other)), "events were lost");
}

#[test]
fn what_is_missing_is_waited_for_where_it_would_appear() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("a/b");
    let wanted = Wanted { files: Vec::new(), folders: vec![(missing.clone(), "so")] };
    assert_eq!(wanted.to_watch().collect::<Vec<_>>(), [folder.path()]);
    let made = |path: &Path| Event::new(EventKind::Create(CreateKind::Any)).add_path(path.to_owned());
    assert!(wanted.matters(&made(&folder.path().join("a"))));
    assert!(!wanted.matters(&made(&folder.path().join("c"))));
}
