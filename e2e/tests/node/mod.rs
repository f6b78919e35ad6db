//! The node itself: pods run on it as on any cluster, and nothing of it is left behind.

mod program;
mod whole;

use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use tributary_e2e::node::{NodeState, is_possible};

/// Says so and ends the test where no node can run: on machines of developers who are not root.
macro_rules! need_a_node {
    () => {
        if let Err(why) = super::is_possible() {
            eprintln!("not run: {why}");
            return;
        }
    };
}
use need_a_node;

async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_mins(1);
    while !holds().await {
        assert!(Instant::now() < deadline, "waited 60 s in vain until {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// Runs to the end, and fails with all that was printed.
fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?} ended with {}:\n{}", output.status, text(&output));
    text(&output)
}

/// Waits for the end of a node: processes, interface, mounts, and what its keeper removes, the control groups.
async fn until_nothing_is_left(state: &NodeState, directory: &Path) {
    until_the_machine_is_gone(state, directory).await;
    until("the control groups are gone", async || control_groups(state).is_empty()).await;
}

/// Waits for the end of what the kernel itself takes away.
async fn until_the_machine_is_gone(state: &NodeState, directory: &Path) {
    let mut processes: Vec<_> = state.parts.values().copied().collect();
    processes.push(state.keeper);
    until("every process is gone", async || processes.iter().all(|id| !id.is_alive())).await;
    let interface = Path::new("/sys/class/net").join(format!("tributary-n{}", state.number.unwrap()));
    until("the interface is gone", async || !interface.exists()).await;
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap();
    assert!(!mounts.contains(&*directory.to_string_lossy()), "{mounts}");
}

/// The node's control groups: one of each hierarchy, without those inside them.
fn control_groups(state: &NodeState) -> String {
    let find = ["/sys/fs/cgroup", "-maxdepth", "2", "-type", "d", "-name", &state.control_group];
    text(&Command::new("find").args(find).output().unwrap())
}
