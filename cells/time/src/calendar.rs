//! The battery-backed clock (MC146818), read once at boot. QEMU and all PCs of
//! this century keep it in UTC or are told to.

use x86_64::instructions::port::Port;

fn register(index: u8) -> u8 {
    // SAFETY: selecting and reading a register of the clock has no effect.
    unsafe {
        Port::<u8>::new(0x70).write(index);
        Port::<u8>::new(0x71).read()
    }
}

fn fields() -> [u8; 6] {
    [0, 2, 4, 7, 8, 9].map(register)
}

/// Microseconds since 1970 as the clock shows them.
pub(crate) fn read_clock() -> i64 {
    // The clock changes while it is read: read until two readings agree.
    let mut last = fields();
    for _ in 0..1000 {
        let busy = register(0x0a) & 0x80 != 0;
        let now = fields();
        if !busy && now == last {
            break;
        }
        last = now;
    }
    let mode = register(0x0b);
    let decode = |raw: u8| {
        i64::from(if mode & 4 != 0 {
            raw
        } else {
            (raw >> 4) * 10 + (raw & 15)
        })
    };
    let [second, minute, hour, day, month, year] = last;
    let hours = if mode & 2 == 0 {
        // Twelve-hour mode: the top bit is "afternoon".
        decode(hour & 0x7f) % 12 + if hour & 0x80 != 0 { 12 } else { 0 }
    } else {
        decode(hour)
    };
    let days = days_from_civil(2000 + decode(year), decode(month), decode(day));
    ((days * 24 + hours) * 3600 + decode(minute) * 60 + decode(second)) * 1_000_000
}

/// Days from 1970-01-01 to a date of the Gregorian calendar; years start in
/// March so that the leap day comes last.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}
