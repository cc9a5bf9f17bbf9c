//! How much a test does.

/// `soak` where `FEDMSG_TEST_SOAK` is set, as `scripts/soak` does; else `usual`.
pub fn rounds(usual: u64, soak: u64) -> u64 {
    if std::env::var_os("FEDMSG_TEST_SOAK").is_some() { soak } else { usual }
}
