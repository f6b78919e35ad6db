//! CPU time by who used it, as the kernel counts it.

use std::collections::{BTreeMap, HashMap};

use tributary_e2e::stack::Stack;

use crate::process::TICKS_PER_SECOND;

/// The measured replicator among the parts of the stack.
pub(super) const REPLICATOR: &str = "replicator";
/// All that any program has used.
pub(super) const MACHINE: &str = "machine";

/// CPU seconds by name: of each part of the stack, the replicator, and the whole machine.
#[derive(Clone, Debug)]
pub(super) struct Cpu(BTreeMap<&'static str, f64>);

struct Process {
    parent: u32,
    ticks: u64,
}

impl Cpu {
    /// Up to now.
    pub(super) fn now(stack: &Stack, replicator: u32) -> anyhow::Result<Self> {
        let processes = processes()?;
        let parts = stack.processes().into_iter().map(|(part, process)| (part.name(), process.pid as u32));
        let named = parts.chain([(REPLICATOR, replicator)]);
        let mut used: BTreeMap<_, _> = named.map(|(name, pid)| (name, seconds(of_tree(&processes, pid)))).collect();
        let whole = std::fs::read_to_string("/proc/stat")?;
        used.insert(MACHINE, seconds(busy(whole.lines().next().unwrap_or_default())));
        Ok(Self(used))
    }

    /// What was used since `before`.
    pub(super) fn since(&self, before: &Self) -> BTreeMap<&'static str, f64> {
        let since = |(name, used): (&&'static str, &f64)| (*name, used - before.0.get(*name).unwrap_or(&0.0));
        self.0.iter().map(since).collect()
    }
}

fn seconds(ticks: u64) -> f64 {
    ticks as f64 / TICKS_PER_SECOND
}

fn processes() -> anyhow::Result<HashMap<u32, Process>> {
    let mut all = HashMap::new();
    for entry in std::fs::read_dir("/proc")? {
        let entry = entry?;
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        // One that has ended meanwhile is counted by its parent.
        let stat = std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        all.extend(process(&stat).map(|process| (pid, process)));
    }
    Ok(all)
}

/// Fields 4 and 14 to 17: the parent, and the time of the process and of its children that have ended.
fn process(stat: &str) -> Option<Process> {
    let fields: Vec<&str> = stat.get(stat.rfind(')')? + 1..)?.split_ascii_whitespace().collect();
    let ticks = fields.get(11..15)?.iter().map(|field| field.parse::<u64>().ok()).sum::<Option<u64>>()?;
    Some(Process { parent: fields.get(1)?.parse().ok()?, ticks })
}

fn of_tree(processes: &HashMap<u32, Process>, root: u32) -> u64 {
    let children = processes.iter().filter(|(_, process)| process.parent == root);
    let own = processes.get(&root).map_or(0, |process| process.ticks);
    own + children.map(|(pid, _)| of_tree(processes, *pid)).sum::<u64>()
}

/// Of `cpu user nice system idle iowait irq softirq steal …` all but what nobody used.
fn busy(line: &str) -> u64 {
    let ticks: Vec<u64> = line.split_ascii_whitespace().skip(1).filter_map(|field| field.parse().ok()).collect();
    ticks.iter().take(7).enumerate().filter(|(at, _)| ![3, 4].contains(at)).map(|(_, ticks)| ticks).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn children_are_counted_with_their_parent() {
        let stat = |parent| format!("7 (a) b) S {parent} 1 1 0 -1 0 0 0 0 0 1 2 3 4 20 0 9 0");
        let processes = [(7, 1), (8, 7), (9, 8), (10, 1)].map(|(pid, parent)| (pid, process(&stat(parent)).unwrap()));
        assert_eq!(of_tree(&HashMap::from(processes), 7), 30);
        assert_eq!(busy("cpu  1 2 4 100 1000 8 16 500 0 0"), 31);
    }
}
