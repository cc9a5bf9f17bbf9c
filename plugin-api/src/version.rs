//! The version of the border, which is not that of the crate: it changes only when the border does.

/// The version of the plugin API that this crate speaks, `major.minor`. Another major is refused; another
/// minor is accepted if the layouts agree.
pub const API_VERSION: &str = "1.2";

/// How a library states its API version. The words around the number make it recognisable in a file.
pub(crate) const MARK: &str = "fedmsg plugin API 1.2";

/// The number in a library's mark; `None` if it is none of ours.
pub(crate) fn stated(mark: &str) -> Option<&str> {
    mark.strip_prefix("fedmsg plugin API ")
}

/// Whether a plugin of that version may be tried: the same major number.
pub(crate) fn is_compatible(version: &str) -> bool {
    let major = |version: &str| version.split('.').next().map(str::to_owned);
    major(version) == major(API_VERSION)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_states_the_version() {
        assert_eq!(stated(MARK), Some(API_VERSION));
        assert_eq!(stated("0.1.0"), None);
    }

    #[test]
    fn only_another_major_version_is_incompatible() {
        assert!(is_compatible("1.0"));
        assert!(is_compatible("1.7"));
        assert!(!is_compatible("2.0"));
        assert!(!is_compatible("10.0"));
    }
}
