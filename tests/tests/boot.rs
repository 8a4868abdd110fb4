//! Promise: the system boots, answers, stops cleanly, and boots again on the
//! disk it left, also after a power cut.

use system_tests::Guest;

#[test]
fn boots_answers_and_stops() {
    let mut guest = Guest::boot();
    let cells = guest.shell("cells");
    let names: Vec<&str> = cells
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert!(
        !names.is_empty(),
        "the system names its cells, one a line: {cells:?}"
    );
    assert!(
        guest.try_shell("no-such-word").is_err(),
        "an unknown word is an error"
    );
    guest.stop();
}

#[test]
fn boots_again_after_a_power_cut() {
    let mut guest = Guest::boot_recording();
    for seed in 1..=3 {
        guest.power_cut(seed);
        guest.reboot();
    }
    guest.stop();
}
