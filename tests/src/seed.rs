//! Chance that can be repeated.

/// The seed of this run: a new one each time, or that of `FEDMSG_TEST_SEED`. It is printed, so that the draws of a
/// failed run can be made again; how the threads run meanwhile cannot.
pub fn seed() -> u64 {
    let seed = std::env::var("FEDMSG_TEST_SEED").map_or_else(
        |_| fastrand::u64(..),
        |seed| seed.parse().expect("FEDMSG_TEST_SEED should be a number"),
    );
    println!("FEDMSG_TEST_SEED={seed}");
    seed
}
