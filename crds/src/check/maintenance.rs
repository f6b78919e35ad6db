//! Rules of the maintenance of the Delta tables.

use super::{Violation, names};
use crate::{Duration, Maintenance};

pub(super) fn maintenance(maintenance: &Maintenance, found: &mut Vec<Violation>) {
    let path = "spec.maintenance";
    let size = &maintenance.target_file_size;
    if !(8 << 20..=1 << 30).contains(&size.bytes()) {
        let message = format!("{size} is out of range");
        let fix = "use a size between 8Mi and 1Gi; the default is 128Mi";
        found.push(Violation::new(format!("{path}.targetFileSize"), message, fix));
    }
    let history = maintenance.history;
    if !(Duration::seconds(3600)..=Duration::seconds(8760 * 3600)).contains(&history) {
        let message = format!("{history} is out of range");
        let fix = "use a time between 1h and 8760h; the default is 168h";
        found.push(Violation::new(format!("{path}.history"), message, fix));
    }
    names::range(&format!("{path}.windows (number of windows)"), maintenance.windows.len() as i64, 0..=16, found);
    for (index, window) in maintenance.windows.iter().enumerate() {
        if window.from == window.to {
            let message = format!("the window begins and ends at {}", window.from);
            let fix = "let it end at another time, or leave out spec.maintenance.windows for the whole day";
            found.push(Violation::new(format!("{path}.windows[{index}].to"), message, fix));
        }
    }
}
