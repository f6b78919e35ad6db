//! One task per cluster plays its operator: it is woken by changes, by its own processes and by the clock, and does one
//! thing at a time.

use std::collections::BTreeSet;
use std::future::Future;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::kind::Kind;

/// Why a player is woken.
#[derive(Debug)]
pub(super) enum Wake {
    /// The cluster's own resource, or something that everything depends on.
    All,
    /// One resource that belongs to the cluster.
    One(Kind, String),
}

/// What is to be looked at.
#[derive(Debug, Default)]
pub(super) struct Dirty {
    all: bool,
    ones: BTreeSet<(Kind, String)>,
}

impl Dirty {
    pub(super) fn has(&self, kind: Kind, name: &str) -> bool {
        self.all || self.is_named(kind, name)
    }

    /// Whether this very resource has changed.
    pub(super) fn is_named(&self, kind: Kind, name: &str) -> bool {
        self.ones.contains(&(kind, name.to_owned()))
    }

    fn is_clean(&self) -> bool {
        !self.all && self.ones.is_empty()
    }

    fn add(&mut self, wake: Wake) {
        match wake {
            Wake::All => self.all = true,
            Wake::One(kind, name) => drop(self.ones.insert((kind, name))),
        }
    }
}

/// A cluster that is played.
pub(super) trait Player: Send {
    /// Makes things as the resources say. It is called again when it fails, or when [`wants`](Self::wants) says so.
    fn reconcile(&mut self, dirty: &Dirty) -> impl Future<Output = anyhow::Result<()>> + Send;

    /// Whether something that was started has ended, or is not ready yet.
    fn wants(&mut self) -> bool;

    /// Whom a message is about.
    fn title(&self) -> String;
}

/// How often a player looks after its processes.
const LOOK: Duration = Duration::from_millis(200);
/// How long it waits after a failure, unless something changes.
const PAUSE: Duration = Duration::from_secs(1);

/// Plays until nobody wakes it any more.
pub(super) async fn play(mut player: impl Player, mut wakes: UnboundedReceiver<Wake>, refresh: Duration) {
    let mut look = interval(LOOK);
    let mut refresh = interval(refresh);
    for clock in [&mut look, &mut refresh] {
        clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    }
    let mut dirty = Dirty::default();
    loop {
        tokio::select! {
            wake = wakes.recv() => match wake {
                Some(wake) => dirty.add(wake),
                None => return,
            },
            _ = refresh.tick() => dirty.all = true,
            _ = look.tick() => if player.wants() { dirty.all = true } else if dirty.is_clean() { continue },
        }
        while let Ok(wake) = wakes.try_recv() {
            dirty.add(wake);
        }
        let now = std::mem::take(&mut dirty);
        if let Err(error) = player.reconcile(&now).await {
            tracing::warn!("{}: {error:#}", player.title());
            dirty = now;
            if let Ok(Some(wake)) = timeout(PAUSE, wakes.recv()).await {
                dirty.add(wake);
            }
            look.reset_immediately();
        }
    }
}
