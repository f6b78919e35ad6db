//! The node's addresses: a block of its own, split into the link between host and node, pods and services.

use std::net::Ipv4Addr;
use std::process::Command;

use anyhow::Context;

use crate::stack::run;

/// The addresses of the node with this number, all in 10.NUMBER.0.0/16.
#[derive(Clone, Copy, Debug)]
pub(super) struct Network {
    number: u8,
}

/// Blocks that are looked at for a free one: the upper ones, as the lower are popular in offices and clouds.
const NUMBERS: std::ops::RangeInclusive<u8> = 180..=250;

impl Network {
    pub(super) fn numbered(number: u8) -> Self {
        Self { number }
    }

    pub(super) fn number(self) -> u8 {
        self.number
    }

    /// The host's end of the link.
    pub(super) fn host(self) -> Ipv4Addr {
        Ipv4Addr::new(10, self.number, 0, 1)
    }

    /// The node's end of the link.
    pub(super) fn node(self) -> Ipv4Addr {
        Ipv4Addr::new(10, self.number, 0, 2)
    }

    /// The addresses of pods.
    pub(super) fn pods(self) -> String {
        format!("10.{}.1.0/24", self.number)
    }

    /// The addresses of services.
    pub(super) fn services(self) -> String {
        format!("10.{}.2.0/24", self.number)
    }

    /// The service address of the API server: the first of the range, as Kubernetes has it.
    pub(super) fn api_service(self) -> Ipv4Addr {
        Ipv4Addr::new(10, self.number, 2, 1)
    }

    /// The name of the host's end of the link, and of the node's control groups.
    pub(super) fn name(self) -> String {
        format!("tributary-n{}", self.number)
    }

    fn block(self) -> String {
        format!("10.{}.0.0/16", self.number)
    }

    /// Takes a free block and connects it with the network namespace of the process `pid`. The name of the host's end is the
    /// claim on the block: of two nodes that start at once only one can create it.
    pub(super) fn connect(pid: i32) -> anyhow::Result<Self> {
        let taken = taken_blocks(&ip(&["-4", "route", "show", "table", "all"])?);
        for number in NUMBERS.filter(|number| !taken.contains(number)) {
            let network = Self { number };
            let name = network.name();
            let link = ["link", "add", &name, "type", "veth", "peer", "name", "eth0", "netns", &pid.to_string()];
            match ip(&link) {
                Ok(_) => return network.configure(pid).map(|()| network),
                Err(error) if format!("{error:#}").contains("File exists") => {}
                Err(error) => return Err(error.context("the node cannot be connected with the host")),
            }
        }
        anyhow::bail!("all of 10.{}.0.0/16 to 10.{}.0.0/16 are in use on this machine", NUMBERS.start(), NUMBERS.end())
    }

    fn configure(self, pid: i32) -> anyhow::Result<()> {
        let (name, host, node) = (self.name(), format!("{}/30", self.host()), format!("{}/30", self.node()));
        ip(&["address", "add", &host, "dev", &name])?;
        ip(&["link", "set", &name, "up"])?;
        let pid = pid.to_string();
        let inside = |arguments: &[&str]| {
            let mut command = Command::new("nsenter");
            command.args(["--target", &pid, "--net", "ip"]).args(arguments);
            run(&mut command, "it configures the node's network")
        };
        inside(&["address", "add", &node, "dev", "eth0"])?;
        inside(&["link", "set", "eth0", "up"])?;
        inside(&["route", "add", "default", "via", &self.host().to_string()])?;
        ip(&["route", "add", &self.block(), "via", &self.node().to_string(), "dev", &name]).map(drop)
    }

    /// Whether the host's end of the link is there.
    pub(super) fn is_there(self) -> bool {
        std::path::Path::new("/sys/class/net").join(self.name()).exists()
    }
}

/// Runs `ip` on the host and returns what it printed.
fn ip(arguments: &[&str]) -> anyhow::Result<String> {
    let output = Command::new("ip").args(arguments).output().context("cannot run ip")?;
    let error = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(output.status.success(), "`ip {}` failed: {}", arguments.join(" "), error.trim());
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The second numbers of all destinations in 10.0.0.0/8 that the machine has routes or addresses for.
fn taken_blocks(routes: &str) -> Vec<u8> {
    let words = routes.lines().flat_map(|line| line.split_ascii_whitespace().take(2));
    words.filter_map(|word| word.strip_prefix("10.")?.split('.').next()?.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_that_the_machine_has_a_route_or_an_address_in_is_not_taken() {
        let routes = "default via 192.0.2.1 dev eth0\n10.180.0.0/16 via 10.180.0.2 dev tributary-n180\n\
                      10.7.3.0/24 dev docker0 proto kernel scope link src 10.7.3.1\n\
                      local 10.181.0.1 dev eth1 table local proto kernel scope host src 10.181.0.1\n\
                      broadcast 10.182.0.255 dev eth1 table local\n";
        assert_eq!(taken_blocks(routes), [180, 7, 181, 182]);
    }

    #[test]
    fn the_addresses_of_a_node_are_all_in_its_block() {
        let network = Network::numbered(200);
        assert_eq!(network.host().to_string(), "10.200.0.1");
        assert_eq!(network.node().to_string(), "10.200.0.2");
        assert_eq!((network.pods().as_str(), network.services().as_str()), ("10.200.1.0/24", "10.200.2.0/24"));
        assert!(network.name().len() <= 15, "the kernel's limit for names of interfaces");
    }
}
