//! Ports for a stack: claimed one by one, so that stacks that start side by side do not race for the same.

use std::collections::hash_map::RandomState;
use std::fs::File;
use std::hash::{BuildHasher, Hasher};
use std::net::{IpAddr, TcpListener};

use super::fetch::cache;
use super::{Addresses, PortChoice};
use anyhow::Context;

/// The claim on a stack's ports: other stacks keep away from them until it is dropped.
#[derive(Debug)]
pub(crate) struct PortClaims {
    _locks: Vec<File>,
}

/// The addresses of a new stack, and the claim on their ports.
pub(super) fn claim(bind: IpAddr, choice: PortChoice) -> anyhow::Result<(Addresses, PortClaims)> {
    let mut locks = Vec::new();
    let mut chooser = Chooser::new(bind, choice);
    let mut next = || -> anyhow::Result<u16> {
        let (port, lock) = chooser.next()?;
        locks.push(lock);
        Ok(port)
    };
    let addresses = Addresses {
        bind,
        postgres: next()?,
        kafka: next()?,
        kafka_scram: next()?,
        kafka_mtls: next()?,
        kafka_controller: next()?,
        connect: next()?,
        registry: next()?,
        s3: next()?,
    };
    Ok((addresses, PortClaims { _locks: locks }))
}

/// One free port, for a program that does not belong to a stack. It is not claimed, but nothing else looks for it soon.
pub(crate) fn free_port(bind: IpAddr) -> anyhow::Result<u16> {
    Chooser::new(bind, PortChoice::Free).next().map(|(port, _)| port)
}

/// A port for one more server beside a stack, and the claim on it.
pub(crate) fn claim_one(bind: IpAddr, choice: PortChoice) -> anyhow::Result<(u16, PortClaims)> {
    let (port, lock) = Chooser::new(bind, choice).next()?;
    Ok((port, PortClaims { _locks: vec![lock] }))
}

struct Chooser {
    bind: IpAddr,
    choice: PortChoice,
    candidate: u16,
}

/// Free ports are looked for below the range that the kernel gives to outgoing connections (32768 and up), or a
/// client's connection could take one between the choice and the part's start.
const FREE_RANGE: std::ops::Range<u16> = 12_000..32_000;

impl Chooser {
    fn new(bind: IpAddr, choice: PortChoice) -> Self {
        let candidate = match choice {
            PortChoice::From(first) => first,
            PortChoice::Free => FREE_RANGE.start + (RandomState::new().build_hasher().finish() % 20_000) as u16,
        };
        Self { bind, choice, candidate }
    }

    fn next(&mut self) -> anyhow::Result<(u16, File)> {
        match self.choice {
            PortChoice::From(first) => self.next_in_row(first),
            PortChoice::Free => self.next_free(),
        }
    }

    fn next_in_row(&mut self, first: u16) -> anyhow::Result<(u16, File)> {
        let port = self.candidate;
        self.candidate = port.checked_add(1).context("the base port is too high: ports end at 65535")?;
        let lock = try_claim(self.bind, port)?.with_context(|| {
            format!(
                "port {port} of {} is in use: choose another base port than {first}, or stop what uses it",
                self.bind
            )
        })?;
        Ok((port, lock))
    }

    fn next_free(&mut self) -> anyhow::Result<(u16, File)> {
        for _ in FREE_RANGE {
            let port = self.candidate;
            self.candidate = if port + 1 < FREE_RANGE.end { port + 1 } else { FREE_RANGE.start };
            if let Some(lock) = try_claim(self.bind, port)? {
                return Ok((port, lock));
            }
        }
        anyhow::bail!("no free port between {} and {} on {}", FREE_RANGE.start, FREE_RANGE.end, self.bind)
    }
}

/// Locks the port's claim file and checks that nothing listens there. `None` when somebody else has either.
fn try_claim(bind: IpAddr, port: u16) -> anyhow::Result<Option<File>> {
    let directory = cache::directory()?.join("ports");
    std::fs::create_dir_all(&directory).with_context(|| format!("cannot create {}", directory.display()))?;
    let path = directory.join(port.to_string());
    let lock = File::options().create(true).truncate(false).write(true).open(&path);
    let lock = lock.with_context(|| format!("cannot create {}", path.display()))?;
    if lock.try_lock().is_err() {
        return Ok(None);
    }
    match TcpListener::bind((bind, port)) {
        Ok(_) => Ok(Some(lock)),
        Err(error) if error.kind() == std::io::ErrorKind::AddrNotAvailable => {
            Err(error).with_context(|| format!("this machine has no address {bind} to listen on"))
        }
        Err(_) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::net::Ipv4Addr;

    use super::*;

    fn all(addresses: &Addresses) -> BTreeSet<u16> {
        let a = addresses;
        [a.postgres, a.kafka, a.kafka_scram, a.kafka_mtls, a.kafka_controller, a.connect, a.registry, a.s3].into()
    }

    #[test]
    fn two_stacks_with_free_ports_share_none() {
        let (first, _claim) = claim(Ipv4Addr::LOCALHOST.into(), PortChoice::Free).unwrap();
        let (second, _claim) = claim(Ipv4Addr::LOCALHOST.into(), PortChoice::Free).unwrap();
        assert_eq!(all(&first).len(), 8);
        assert!(all(&first).is_disjoint(&all(&second)));
    }

    #[test]
    fn a_base_port_that_another_stack_has_claimed_is_refused_with_its_number() {
        let (first, _claim) = claim(Ipv4Addr::LOCALHOST.into(), PortChoice::Free).unwrap();
        let error = claim(Ipv4Addr::LOCALHOST.into(), PortChoice::From(first.s3)).unwrap_err();
        assert!(error.to_string().contains(&format!("port {} of 127.0.0.1 is in use", first.s3)), "{error}");
    }

    #[test]
    fn an_address_that_the_machine_does_not_have_is_named() {
        let error = claim(Ipv4Addr::new(192, 0, 2, 1).into(), PortChoice::Free).unwrap_err();
        assert!(error.to_string().contains("no address 192.0.2.1"), "{error}");
    }
}
