//! How a demo ends: everything is stopped, or everything is left running.

use std::path::Path;

use anyhow::Context;

use super::figures::span;
use super::screen::Screen;
use super::{Demo, DemoOptions, look, place};
use crate::stack::S3_ACCESS_KEY;

impl Demo {
    /// Stops everything, in good order, whatever the result so far was.
    pub(super) async fn stop(
        mut self,
        options: &DemoOptions,
        screen: &mut Screen,
        result: anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        if let Err(error) = result {
            let logs = self.stack.directory().join("logs");
            let hint = match &options.directory {
                Some(_) => format!("All logs are in {}.", logs.display()),
                None => "To keep all logs, run it again with --dir FOLDER.".to_owned(),
            };
            anyhow::bail!("{error:#}\n\n{hint}");
        }
        screen.step("Stop everything");
        let replicator = self.replicator.take().context("the replicator has not been started")?;
        let status = replicator.stop().await?;
        screen.note(&format!("the replicator got SIGTERM and ended with {status}"));
        anyhow::ensure!(status.success(), "the replicator must end with exit status 0 when it gets SIGTERM");
        drop(self);
        screen.done("the services are stopped");
        screen.say(&format!(
            "\nThat took {}. To look at the tables yourself, run it again with --keep (make local KEEP=1): everything then \
             goes on running.",
            span(screen.elapsed())
        ));
        Ok(())
    }

    /// Leaves everything running, and says where it is.
    pub(super) fn leave(mut self, screen: &mut Screen) -> anyhow::Result<()> {
        screen.step("Leave everything running");
        let directory = self.stack.directory().to_owned();
        let replicator = self.replicator.take().context("the replicator has not been started")?;
        self.print_addresses(&directory, replicator.url(), replicator.log(), screen);
        place::keep(&directory, replicator.detach()?)?;
        let addresses = self.stack.addresses();
        let pairs = self.shop.pairs(addresses);
        let orders = pairs.iter().find(|pair| pair.source() == "public.orders");
        let orders = orders.context("examples/shop.yaml has no orders")?.target().uri();
        let lines = look::lines(&addresses.s3_endpoint(), orders);
        screen.say(&format!("\nTo look at a Delta table yourself, paste one of these:\n\n{lines}"));
        screen.say(&format!("\nTo stop everything:\n\n{}", place::stop_command(&directory)));
        self.stack.detach()
    }

    fn print_addresses(&self, directory: &Path, url: &str, log: &Path, screen: &mut Screen) {
        let addresses = self.stack.addresses();
        let rows = [
            ("Postgres", addresses.postgres_url(self.shop.database())),
            ("Kafka", addresses.bootstrap_servers()),
            ("Connect", format!("{}/connectors/{}/status", addresses.connect_url(), self.shop.name())),
            (
                "S3",
                format!(
                    "{}  (bucket {}, key and secret: {S3_ACCESS_KEY})",
                    addresses.s3_endpoint(),
                    self.shop.bucket()
                ),
            ),
            ("replicator", format!("{url}/tables  {url}/metrics")),
            ("its log", log.display().to_string()),
            ("resource", directory.join("shop.yaml").display().to_string()),
        ];
        for (name, address) in rows {
            screen.note(&format!("{name:<10}  {address}"));
        }
    }
}
