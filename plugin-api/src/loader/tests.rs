use abi_stable::StableAbi;
use abi_stable::prefix_type::PrefixTypeTrait as _;
use abi_stable::std_types::{RErr, RResult, RSlice, RStr, RVec};

use super::*;

extern "C" fn describe(_: RStr<'_>) -> RResult<abi::Wants, RVec<abi::Problem>> {
    RErr(RVec::new())
}

extern "C" fn outbound(_: RStr<'_>) -> RResult<RVec<abi::Outbound>, RVec<abi::Problem>> {
    RErr(RVec::new())
}

extern "C" fn start(_: RStr<'_>, _: abi::HostBox) -> RResult<abi::InstanceBox, abi::StartError> {
    RErr(StartError::fatal("").into())
}

fn plugin(unwinds: bool, consumers: &[(&'static str, &'static str)]) -> Result<Vec<Declared>, String> {
    let declare = |&(name, config_key): &(&'static str, &'static str)| {
        abi::Declaration {
            name: RStr::from_str(name),
            config_key: RStr::from_str(config_key),
            describe,
            start,
            outbound,
        }
        .leak_into_prefix()
    };
    let consumers: Vec<_> = consumers.iter().map(declare).collect();
    let plugin = abi::Plugin {
        name: RStr::from_str("test"),
        version: RStr::from_str("1.0.0"),
        unwinds,
        consumers: RSlice::from_slice(consumers.leak()),
    };
    declared(plugin.leak_into_prefix()).map_err(|problem| problem.to_string())
}

#[test]
fn a_library_with_sensible_declarations_is_accepted() {
    let consumers = plugin(true, &[("a", "a.enabled"), ("b", "x.y.b.on")]).unwrap();
    assert_eq!(consumers.iter().map(Declared::name).collect::<Vec<_>>(), ["a", "b"]);
}

#[test]
fn a_library_that_cannot_unwind_is_refused() {
    assert!(plugin(false, &[("a", "a.enabled")]).unwrap_err().contains(r#"panic="abort""#));
}

#[test]
fn a_library_whose_declarations_make_no_sense_is_refused() {
    for (consumers, problem) in [
        (&[][..], "declares no consumer"),
        (&[("", "a.enabled")], "declares a consumer without a name"),
        (&[("a", "")], "declares consumer `a` with the config key ``, which is not of the form `table.key`"),
        (
            &[("a", "a")],
            "declares consumer `a` with the config key `a`, which is not of the form `table.key`",
        ),
        (
            &[("a", "a..b")],
            "declares consumer `a` with the config key `a..b`, which is not of the form `table.key`",
        ),
        (&[("a", "a.on"), ("a", "b.on")], "declares two consumers of the name `a`"),
        (&[("a", "a.on"), ("b", "a.on")], "declares two consumers with the config key `a.on`"),
    ] {
        assert_eq!(plugin(true, consumers).unwrap_err(), problem);
    }
}

/// Three versions of a module: the first, one that grew at its end, one that changed.
#[allow(dead_code, reason = "only their layout is looked at")]
mod first {
    #[repr(C)]
    #[derive(abi_stable::StableAbi)]
    #[sabi(kind(Prefix(prefix_ref = ModuleRef, prefix_fields = ModulePrefix)))]
    pub(super) struct Module {
        #[sabi(last_prefix_field)]
        pub(super) number: u32,
    }
}

#[allow(dead_code, reason = "only their layout is looked at")]
mod grown {
    #[repr(C)]
    #[derive(abi_stable::StableAbi)]
    #[sabi(kind(Prefix(prefix_ref = ModuleRef, prefix_fields = ModulePrefix)))]
    pub(super) struct Module {
        #[sabi(last_prefix_field)]
        pub(super) number: u32,
        pub(super) more: u32,
    }
}

#[allow(dead_code, reason = "only their layout is looked at")]
mod changed {
    #[repr(C)]
    #[derive(abi_stable::StableAbi)]
    #[sabi(kind(Prefix(prefix_ref = ModuleRef, prefix_fields = ModulePrefix)))]
    pub(super) struct Module {
        #[sabi(last_prefix_field)]
        pub(super) number: u64,
    }
}

#[test]
fn older_and_newer_layouts_fit_and_others_do_not() {
    let (first, grown, changed) =
        (first::ModuleRef::LAYOUT, grown::ModuleRef::LAYOUT, changed::ModuleRef::LAYOUT);
    assert_eq!(check_layouts(first, grown), Ok(()));
    assert_eq!(check_layouts(grown, first), Ok(()));
    assert!(check_layouts(first, changed).is_err());
    assert!(check_layouts(changed, grown).is_err());
}

/// The host as plugins of API 1.0 and 1.1 know it. Never to be changed: there may be such plugins.
#[allow(non_local_definitions, unreachable_pub, unused_qualifications, reason = "so abi_stable writes")]
mod older {
    use abi_stable::sabi_trait;
    use abi_stable::std_types::{RBox, RResult, RSlice, RStr, RString};

    use crate::abi::{Failure, Record, StartError};

    #[sabi_trait]
    pub trait Host: Send + Sync {
        fn max_level(&self) -> u32;
        fn enabled(&self, level: u32, target: RStr<'_>) -> bool;
        fn log(&self, record: &Record<'_>);
        fn publish(&self, topic: RStr<'_>, msg: RStr<'_>) -> RResult<(), RString>;
        fn open_publisher(&self, endpoint: RStr<'_>) -> RResult<u64, StartError>;
        #[sabi(last_prefix_field)]
        fn forward(&self, publisher: u64, topic: RStr<'_>, body: RSlice<'_, u8>) -> RResult<(), RString>;
    }

    pub type HostBox = Host_TO<'static, RBox<()>>;

    pub mod signing {
        use super::*;

        #[sabi_trait]
        pub trait Host: Send + Sync {
            fn max_level(&self) -> u32;
            fn enabled(&self, level: u32, target: RStr<'_>) -> bool;
            fn log(&self, record: &Record<'_>);
            fn publish(&self, topic: RStr<'_>, msg: RStr<'_>) -> RResult<(), RString>;
            fn open_publisher(&self, endpoint: RStr<'_>) -> RResult<u64, StartError>;
            #[sabi(last_prefix_field)]
            fn forward(&self, publisher: u64, topic: RStr<'_>, body: RSlice<'_, u8>) -> RResult<(), RString>;
            fn open_signing_publisher(&self, endpoint: RStr<'_>) -> RResult<u64, StartError>;
            fn forward_signed(&self, publisher: u64, topic: RStr<'_>, body: RSlice<'_, u8>) -> Failure;
        }

        pub type HostBox = Host_TO<'static, RBox<()>>;
    }
}

#[test]
fn a_plugin_of_an_older_api_knows_a_beginning_of_the_host() {
    for older in [older::HostBox::LAYOUT, older::signing::HostBox::LAYOUT] {
        assert_eq!(check_layouts(abi::HostBox::LAYOUT, older), Ok(()));
    }
}

/// A consumer as plugins of API 1.1 declare it. Never to be changed, either.
#[allow(dead_code, reason = "only its layout is looked at")]
mod api_1_1 {
    use abi_stable::std_types::{RResult, RStr, RVec};

    use crate::abi::{HostBox, InstanceBox, Problem, StartError, Wants};

    #[repr(C)]
    #[derive(abi_stable::StableAbi)]
    #[sabi(kind(Prefix(prefix_ref = DeclarationRef, prefix_fields = DeclarationPrefix)))]
    pub(super) struct Declaration {
        pub(super) name: RStr<'static>,
        pub(super) config_key: RStr<'static>,
        pub(super) describe: extern "C" fn(config: RStr<'_>) -> RResult<Wants, RVec<Problem>>,
        #[sabi(last_prefix_field)]
        pub(super) start: extern "C" fn(config: RStr<'_>, host: HostBox) -> RResult<InstanceBox, StartError>,
    }
}

#[test]
fn a_plugin_of_api_1_1_declares_a_beginning_of_what_is_declared_now() {
    assert_eq!(check_layouts(abi::DeclarationRef::LAYOUT, api_1_1::DeclarationRef::LAYOUT), Ok(()));
}
