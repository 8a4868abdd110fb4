//! Promise: what the system can test about itself, from within, holds.

use system_tests::run_in_guest;

#[test]
fn the_tests_within_the_system_pass() {
    run_in_guest("all");
}
